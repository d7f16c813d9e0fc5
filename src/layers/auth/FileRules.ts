import { Schema } from "effect"

/** What is wrong with a token file, or with a directory above it; it was neither used nor changed. */
export class TokenFileRefused extends Schema.TaggedError<TokenFileRefused>()("TokenFileRefused", {
  /** The file or directory that is at fault. */
  path: Schema.String,
  reason: Schema.Literal("type", "owner", "mode", "links", "directory", "ancestor", "content", "missing", "system"),
  problem: Schema.String,
  remedy: Schema.String
}) {
  override get message() {
    return `${JSON.stringify(this.path)} ${this.problem}. ${this.remedy}`
  }
}

/** What the rules look at: `fs.Stats`. */
export interface Facts {
  readonly mode: number
  readonly uid: number
  readonly nlink: number
  readonly isFile: () => boolean
  readonly isDirectory: () => boolean
}

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0")

/** A path as one word of a shell command. */
const word = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`

const again = "and start fleet-mcp again."

/** The way out that always works: a new token in a new file. */
export const orNewToken = 'Move it away, or run "fleet-mcp token rotate" for a new token.'

const inDirectory = "Or put the token file elsewhere with FLEET_MCP_AUTH_TOKEN_FILE."

/** Why an open token file must not be used, if so. */
export const fileProblem = (path: string, facts: Facts, user: number): TokenFileRefused | undefined => {
  const refused = (reason: TokenFileRefused["reason"], problem: string, remedy: string) =>
    new TokenFileRefused({ path, reason, problem, remedy })
  if (!facts.isFile()) return notAFile(path)
  if (facts.uid !== user) {
    return refused("owner", `belongs to user ${facts.uid}, not to this one (${user})`, orNewToken)
  }
  if ((facts.mode & 0o077) !== 0) {
    return refused(
      "mode",
      `can be reached by other users (mode ${octal(facts.mode)})`,
      `They may have read it: run "fleet-mcp token rotate" for a new token; or, if nobody did, chmod 600 ${word(path)} ${again}`
    )
  }
  if (facts.nlink !== 1) {
    return refused("links", `has ${facts.nlink} names (hard links), so it may be read in another place`, orNewToken)
  }
  return undefined
}

export const notAFile = (path: string): TokenFileRefused =>
  new TokenFileRefused({
    path,
    reason: "type",
    problem: "is not a regular file (a symbolic link, a directory, a pipe or the like)",
    remedy: "Move it away and start fleet-mcp again, or name the file itself with FLEET_MCP_AUTH_TOKEN_FILE."
  })

/** Why the directory of a token file must not be used, if so: others could put another file into it. */
export const directoryProblem = (path: string, facts: Facts, user: number): TokenFileRefused | undefined => {
  const refused = (problem: string, remedy: string) =>
    new TokenFileRefused({ path, reason: "directory", problem, remedy: `${remedy} ${inDirectory}` })
  if (!facts.isDirectory()) return refused("is not a directory", `Move it away ${again}`)
  if (facts.uid !== user) {
    return refused(
      `belongs to user ${facts.uid}, not to this one (${user})`,
      `Run fleet-mcp as that user; or, if only this one uses it, chown ${user} ${word(path)} ${again}`
    )
  }
  if ((facts.mode & 0o022) !== 0) {
    return refused(`can be written by other users (mode ${octal(facts.mode)})`, `chmod 700 ${word(path)} ${again}`)
  }
  return undefined
}

/** Why a directory above that one makes it unsafe, if so: others could put another directory in its place. */
export const ancestorProblem = (path: string, facts: Facts): TokenFileRefused | undefined =>
  (facts.mode & 0o002) !== 0 && (facts.mode & 0o1000) === 0
    ? new TokenFileRefused({
        path,
        reason: "ancestor",
        problem: `can be written by everybody and has no sticky bit (mode ${octal(facts.mode)})`,
        remedy: `chmod o-w ${word(path)} (or chmod +t) ${again} ${inDirectory}`
      })
    : undefined

/** What the system said, by its code. */
export const systemProblem = (path: string, action: string, code: string): TokenFileRefused =>
  new TokenFileRefused({
    path,
    reason: "system",
    problem: `cannot be ${action} (${code})`,
    remedy: `Make that possible for the user that runs fleet-mcp. ${inDirectory}`
  })
