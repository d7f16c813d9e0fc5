import { Command, FileSystem, Path } from "@effect/platform"
import { Console, Data, Effect, Option } from "effect"
import { homedir } from "node:os"
import { clients, type Client, type ClientName, type Server, type User } from "./configure/Clients.ts"
import { replacedWord } from "./configure/Entry.ts"
import { mergeJson, newJson } from "./configure/MergeJson.ts"
import { mergeToml, newToml } from "./configure/MergeToml.ts"
import type { Environment } from "./Settings.ts"
import { ConfigureRefused, mergeInto, Written } from "./configure/SettingsFile.ts"

/** What the command line asks for. */
export interface ConfigureFlags {
  readonly write: boolean
  readonly projects: ReadonlyArray<string>
  readonly local: boolean
  readonly allowShell: boolean
  readonly readOnly: boolean
  readonly coderUrl: Option.Option<string>
  readonly envFile: Option.Option<string>
}

/** A path on the command line that an entry must not name. */
export class NoSuchPath extends Data.TaggedError("NoSuchPath")<{ readonly option: string; readonly path: string }> {
  override get message() {
    return `${this.option} ${this.path}: there is no such ${this.option === "--project" ? "directory" : "file"}`
  }
}

const isSet = (environment: Environment, name: string) => (environment[name] ?? "").trim() !== ""

/** Absolute, for a client that starts in another directory. */
const existing = (option: string, path: string, type: FileSystem.File.Type) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const real = yield* fs.realPath(path)
    const info = yield* fs.stat(real)
    return info.type === type ? real : yield* new NoSuchPath({ option, path })
  }).pipe(Effect.mapError(() => new NoSuchPath({ option, path })))

/** The root of the repository that this command runs in. */
const repository = Command.make("git", "rev-parse", "--show-toplevel").pipe(
  Command.stderr("pipe"),
  Command.string,
  Effect.map((output) => Option.liftPredicate(output.replace(/\r?\n$/, ""), (path) => path !== "")),
  // No git, or no repository.
  Effect.orElseSucceed(() => Option.none<string>())
)

interface Plan {
  readonly server: Server
  /** What the user should know of it. */
  readonly notes: ReadonlyArray<string>
}

const variableNotes = (client: Client, coder: boolean): ReadonlyArray<string> =>
  client.unsetVariable === "never" && coder
    ? [
        `${client.title} cannot name variables: put CODER_URL and CODER_SESSION_TOKEN into a file that only you can read, and run this again with --env-file FILE.`
      ]
    : []

/** Which variables the client hands over: none is needed where a file or an option says it all. */
const variablesOf = ({ unsetVariable }: Client, flags: ConfigureFlags, coder: boolean): ReadonlyArray<string> => {
  if (unsetVariable === "never" || flags.local || Option.isSome(flags.envFile)) return []
  if (unsetVariable === "unknown" && !coder) return []
  return Option.isSome(flags.coderUrl) ? ["CODER_SESSION_TOKEN"] : ["CODER_URL", "CODER_SESSION_TOKEN"]
}

const plan = (client: Client, flags: ConfigureFlags, program: string, environment: Environment) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const coder =
      !flags.local &&
      (Option.isSome(flags.coderUrl) || isSet(environment, "CODER_URL") || isSet(environment, "CODER_SESSION_TOKEN"))
    const given = yield* Effect.forEach(flags.projects, (path) => existing("--project", path, "Directory"))
    const envFile = yield* Effect.transposeOption(
      Option.map(flags.envFile, (path) => existing("--env-file", path, "File"))
    )
    const needed = !client.startsInProject && !coder && Option.isNone(envFile) && given.length === 0
    const found = needed ? Option.toArray(yield* repository) : []
    const projects = [...given, ...found]
    const args = [
      yield* fs.realPath(program),
      ...(flags.local ? ["--local"] : []),
      ...Option.match(flags.coderUrl, { onNone: () => [], onSome: (url) => ["--coder-url", url] }),
      ...Option.match(envFile, { onNone: () => [], onSome: (path) => ["--env-file", path] }),
      ...projects.flatMap((path) => ["--project", path]),
      ...(flags.allowShell ? ["--allow-shell"] : []),
      ...(flags.readOnly ? ["--read-only"] : [])
    ]
    const notes = [
      ...(found.length > 0
        ? [`The project is ${found.join()}, where this was run. --project DIR, repeatable, names others.`]
        : []),
      ...(needed && found.length === 0
        ? [`${client.title} does not start servers in your project: run this again with --project DIR.`]
        : []),
      ...variableNotes(client, coder)
    ]
    const server = { command: paths.resolve(process.execPath), args, variables: variablesOf(client, flags, coder) }
    return { server, notes } satisfies Plan
  })

/** The first of the client's files that is there (a dangling link is), else the last. */
const fileOf = (client: Client, user: User) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const files = client.files(user)
    const there = yield* Effect.findFirst(files, (file) =>
      Effect.if(fs.exists(file), {
        onTrue: () => Effect.succeed(true),
        onFalse: () => Effect.isSuccess(fs.readLink(file))
      })
    )
    return Option.getOrElse(there, () => files.at(-1) ?? files[0])
  })

const tell = (client: Client): ((written: Written) => string) =>
  Written.$match({
    Unchanged: ({ file }) => `${file} has this entry already; nothing was changed.`,
    Created: ({ file }) => `Made ${file}. Restart ${client.title}.`,
    Replaced: ({ backup, file }) => `Changed ${file}; as it was before: ${backup}. Restart ${client.title}.`
  })

/**
 * `fleet-mcp configure`: prints the entry with which a client starts this program (stdout), and where it belongs
 * (stderr); with `--write` puts it there. `program` is the path under which this program runs.
 */
export const configure = (name: ClientName, flags: ConfigureFlags, program: string, environment: Environment) =>
  Effect.gen(function* () {
    const client: Client = clients[name]
    const file = yield* fileOf(client, { home: homedir(), environment, platform: process.platform })
    const { notes, server } = yield* plan(client, flags, program, environment)
    const word = replacedWord(client, server)
    if (word !== undefined) {
      return yield* new ConfigureRefused({
        file,
        problem: `would make ${client.title} replace a part of ${JSON.stringify(word)}`,
        remedy: "Use a path without such characters."
      })
    }
    const entry = client.entry(server)
    const json = client.format === "json"
    if (flags.write) {
      const written = yield* mergeInto(file, (text) => (json ? mergeJson : mergeToml)(text, client.path, entry))
      yield* Console.log(tell(client)(written))
    } else {
      yield* Console.log((json ? newJson : newToml)(client.path, entry).trimEnd())
      yield* Console.error(`For ${client.title} this belongs into ${file}; --write puts it there.`)
    }
    yield* Effect.forEach(notes, (note) => Console.error(note), { discard: true })
  })
