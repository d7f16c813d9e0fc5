import { Context, Deferred, Duration, Effect, Option, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { userInfo } from "node:os"
import { basename } from "node:path"
import { Grace, run } from "./AgentProcess.ts"
import type { Environment } from "./Environment.ts"

/** How a login shell is asked. */
export class LoginShellLimits extends Context.Reference<LoginShellLimits>()(
  "fleet-mcp/layers/agenthost/process/LoginShell/LoginShellLimits",
  {
    defaultValue: () => ({
      /** Until it has told its environment. */
      time: Duration.seconds(5),
      /** For its end once it has told, or has had its time; then from SIGTERM to SIGKILL. */
      ending: Duration.millis(500),
      grace: Duration.millis(200),
      /** Characters that it may write, what its start-up files print included. */
      output: 1024 * 1024,
      /** After one that did not tell, until it is asked again, in the background. */
      again: Duration.minutes(1)
    })
  }
) {}

/** The login shell did not tell its environment. Neither its output nor any value is repeated. */
export class LoginShellFailed extends Schema.TaggedError<LoginShellFailed>()("LoginShellFailed", {
  shell: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `The login shell ${this.shell} did not tell its environment: ${this.problem}.`
  }
}

/** The user's login shell, and the environment that it is asked in. */
export interface Login {
  readonly shell: string
  readonly environment: Environment
}

/** As `login` has it before any start-up file is read. */
const standardPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

/** What a session has, and not a terminal of it. */
const ofSession = /^(LANG|LANGUAGE|LC_\w+|XDG_RUNTIME_DIR)$/

const isPath = (text: string | null | undefined): text is string => text?.startsWith("/") === true

/**
 * The login shell is `SHELL` of the environment, else that of the user's entry in the password file. It starts from
 * nearly nothing, so that nothing of whoever started this process is taken for the user's own.
 */
export const loginOf = (given: Environment): Login => {
  const user = Option.getOrUndefined(Option.liftThrowable(() => userInfo())())
  const shell = [given["SHELL"], user?.shell].find(isPath) ?? "/bin/sh"
  const home = [given["HOME"], user?.homedir].find(isPath) ?? "/"
  const name = [given["USER"], given["LOGNAME"], user?.username].find((text) => text !== undefined && text !== "")
  return {
    shell,
    environment: {
      ...Object.fromEntries(Object.entries(given).filter(([key]) => ofSession.test(key))),
      PATH: standardPath,
      HOME: home,
      SHELL: shell,
      ...(name === undefined ? {} : { USER: name, LOGNAME: name })
    }
  }
}

/** By these, start-up files know that an editor only wants to know the environment, as some do for VS Code's. */
const asking = { FLEET_MCP_RESOLVING_ENVIRONMENT: "1", VSCODE_RESOLVING_ENVIRONMENT: "1" }

/** Interactive and as at a login: which start-up files set the environment differs from user to user. */
const flagsOf = (shell: string): ReadonlyArray<string> =>
  // For these, -l stands alone or not at all.
  /^t?csh$/.test(basename(shell)) ? ["-i", "-c"] : ["-i", "-l", "-c"]

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const Told = Schema.parseJson(Schema.Record({ key: Schema.String, value: Schema.String }))

/** What stands between two marks, once it is there as a whole: start-up files may print before it and after it. */
const between = (output: string, mark: string): Option.Option<Environment> => {
  const begin = output.indexOf(`${mark}{`)
  const end = begin === -1 ? -1 : output.indexOf(`}${mark}`, begin)
  if (end === -1) return Option.none()
  return Option.getRight(Schema.decodeUnknownEither(Told)(output.slice(begin + mark.length, end + 1)))
}

/**
 * Asks a login shell for its environment, as editors do: it runs this Node, which prints it between two marks. Standard
 * input is empty, and there is no terminal. As soon as that is told it counts, however the shell ends; its process group
 * is ended soon after, also where it hangs, with the scope at the latest, and where this process is killed.
 */
export const askLoginShell = Effect.fn("LoginShell.askLoginShell")(function* ({ environment, shell }: Login) {
  const limits = yield* LoginShellLimits
  const mark = randomBytes(8).toString("hex")
  const told = yield* Deferred.make<Environment, LoginShellFailed>()
  const fail = (problem: string) => Deferred.fail(told, new LoginShellFailed({ shell, problem }))
  const home = environment["HOME"]
  let output = ""

  const asked = run({
    command: [
      shell,
      ...flagsOf(shell),
      `${quoted(process.execPath)} -p '"${mark}" + JSON.stringify(process.env) + "${mark}"'`
    ],
    directory: home !== undefined && existsSync(home) ? home : "/",
    environment: { ...environment, ...asking },
    onOutput: (text) =>
      Effect.suspend(() => {
        if (output.length > limits.output) return Effect.void
        output += text
        return Option.match(between(output, mark), {
          onSome: (found) => Deferred.succeed(told, found),
          onNone: () =>
            output.length > limits.output ? fail(`it wrote more than ${limits.output} characters`) : Effect.void
        })
      }),
    // It may hold anything.
    onError: () => Effect.void
  }).pipe(
    Effect.matchEffect({
      onFailure: (error) =>
        fail(error._tag === "ProgramNotFound" ? "there is no such program" : `it could not be started (${error.code})`),
      onSuccess: ({ code, signal }) => fail(`it ended with ${signal ?? `exit code ${code}`} before it had`)
    }),
    Effect.provideService(Grace, Effect.sleep(limits.grace))
  )
  const over = Effect.zipRight(Effect.exit(Deferred.await(told)), Effect.sleep(limits.ending))
  yield* Effect.forkScoped(Effect.raceFirst(asked, over))
  return yield* Deferred.await(told).pipe(
    Effect.timeoutFail({
      duration: limits.time,
      onTimeout: () => new LoginShellFailed({ shell, problem: `nothing came within ${Duration.format(limits.time)}` })
    }),
    Effect.tapError((error) => Deferred.fail(told, error))
  )
})
