import { Command, Options } from "@effect/cli"
import { FileSystem } from "@effect/platform"
import { Data, Effect, Option } from "effect"
import { parseEnvFile } from "./EnvFile.ts"
import type { Environment, Settings } from "./Settings.ts"

class EnvFileUnusable extends Data.TaggedError("EnvFileUnusable")<{ readonly file: string; readonly reason: string }> {
  override get message() {
    return `--env-file ${this.file}: ${this.reason}`
  }
}

class Contradiction extends Data.TaggedError("Contradiction") {
  override readonly message = "--local and --coder-url contradict each other: start fleet-mcp with one of them."
}

/** The options that stand before a command and behind it. */
export const options = {
  envFile: Options.text("env-file").pipe(
    Options.withPseudoName("FILE"),
    Options.withDescription("Read KEY=VALUE lines from this file; variables that are set already win"),
    Options.optional
  ),
  local: Options.boolean("local").pipe(Options.withDescription("Run agents on this machine, whatever CODER_URL says")),
  coderUrl: Options.text("coder-url").pipe(
    Options.withPseudoName("URL"),
    Options.withDescription("Run agents on this Coder server; CODER_SESSION_TOKEN must be set"),
    Options.optional
  ),
  allowShell: Options.boolean("allow-shell").pipe(
    Options.withDescription("Offer the role shell on this machine: its agents run commands with your rights")
  ),
  projects: Options.text("project").pipe(
    Options.withPseudoName("DIR"),
    Options.withDescription(
      "On this machine: a git repository that agents can work on, by default that of the working directory; repeatable"
    ),
    Options.repeated
  ),
  readOnly: Options.boolean("read-only").pipe(
    Options.withDescription("Only show the fleet: no tool that changes anything is listed or served")
  )
}

/** The variables of a file beneath those that are set already. */
const withFile = (environment: Environment, file: string) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const text = yield* files.readFileString(file)
    const entries = yield* parseEnvFile(text)
    const set = Object.entries(environment).filter(([, value]) => value !== undefined && value.trim() !== "")
    return { ...entries, ...Object.fromEntries(set) }
  }).pipe(
    Effect.mapError((cause) => new EnvFileUnusable({ file, reason: typeof cause === "string" ? cause : cause.message }))
  )

/** The options as they were given. */
export type Given = Command.Command.ParseConfig<typeof options>

/** What is said before a command and behind it. */
export const both = (before: Given, behind: Given): Given => ({
  envFile: Option.orElse(behind.envFile, () => before.envFile),
  coderUrl: Option.orElse(behind.coderUrl, () => before.coderUrl),
  local: behind.local || before.local,
  allowShell: behind.allowShell || before.allowShell,
  readOnly: behind.readOnly || before.readOnly,
  projects: [...before.projects, ...behind.projects]
})

const none: Given = {
  envFile: Option.none(),
  coderUrl: Option.none(),
  local: false,
  allowShell: false,
  readOnly: false,
  projects: []
}

/** What the command line and the environment say together. */
export const settingsOf = (
  before: Given,
  behind: Given = none
): Effect.Effect<Settings, EnvFileUnusable | Contradiction, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const { allowShell, coderUrl, envFile, local, projects, readOnly } = both(before, behind)
    if (local && Option.isSome(coderUrl)) return yield* new Contradiction()
    const environment = yield* Option.match(envFile, {
      onNone: () => Effect.succeed<Environment>(process.env),
      onSome: (file) => withFile(process.env, file)
    })
    return { environment, flags: { local, coderUrl: Option.getOrUndefined(coderUrl), allowShell, readOnly, projects } }
  })
