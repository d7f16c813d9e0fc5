import { Command, FileSystem, Path, type CommandExecutor, type Error as PlatformError } from "@effect/platform"
import { Data, Effect, type Scope } from "effect"

// A repository with real content for the demo's agents to work on, and the ways to look at it without asking the server.

/** Something is not as the server said, or as it had to be. */
export class DemoFailed extends Data.TaggedError("DemoFailed")<{ readonly message: string }> {}

/** The requirements of looking at files and processes. */
export type Machine = FileSystem.FileSystem | Path.Path | CommandExecutor.CommandExecutor

/** The demo's own folder: a repository, and a state directory for the server. */
export interface Scratch {
  readonly repository: string
  readonly stateDirectory: string
}

const brokenSlug = `// TODO: umlauts
export const slug = (text) => text.toLowerCase().replace(" ", "-")
`

/** What the agent \`fixer\` is told to write. */
export const fixedSlug = `// TODO: umlauts
export const slug = (text) => text.toLowerCase().replaceAll(" ", "-")
`

const content: Record<string, string> = {
  "package.json": `${JSON.stringify({ name: "slugs", version: "1.0.0", type: "module" }, null, 2)}\n`,
  "README.md": "# slugs\n\nTurns titles into slugs.\n",
  "src/slug.js": brokenSlug,
  "test/slug.test.js": `import assert from "node:assert/strict"
import { test } from "node:test"
import { slug } from "../src/slug.js"

test("one word", () => assert.equal(slug("Hello"), "hello"))
test("several words", () => assert.equal(slug("A Fleet Of Agents"), "a-fleet-of-agents"))
`
}

/** Runs a program to its end and gives what it printed on stdout. */
export const run = (
  directory: string,
  program: string,
  ...args: ReadonlyArray<string>
): Effect.Effect<string, PlatformError.PlatformError, CommandExecutor.CommandExecutor> =>
  Command.make(program, ...args).pipe(Command.workingDirectory(directory), Command.feed(""), Command.string)

/** Runs git in a repository. */
export const git = (directory: string, ...args: ReadonlyArray<string>) =>
  Effect.map(run(directory, "git", ...args), (output) => output.trimEnd())

/** Makes the demo's folder; it is gone when the scope closes. */
export const makeScratch: Effect.Effect<Scratch, PlatformError.PlatformError, Machine | Scope.Scope> = Effect.gen(
  function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const root = yield* fs.realPath(yield* fs.makeTempDirectoryScoped({ prefix: "fleet-mcp-demo-" }))
    const repository = path.join(root, "slugs")
    for (const [name, text] of Object.entries(content)) {
      yield* fs.makeDirectory(path.dirname(path.join(repository, name)), { recursive: true })
      yield* fs.writeFileString(path.join(repository, name), text)
    }
    yield* git(repository, "init", "--quiet", "--initial-branch=main")
    yield* git(repository, "config", "user.name", "Fleet Demo")
    yield* git(repository, "config", "user.email", "demo@example.com")
    yield* git(repository, "add", ".")
    yield* git(repository, "commit", "--quiet", "--message=Turn titles into slugs")
    return { repository, stateDirectory: path.join(root, "state") }
  }
)

/** Where git says that a branch is checked out. */
export const worktreeOf = (scratch: Scratch, branch: string) =>
  Effect.gen(function* () {
    const entries = (yield* git(scratch.repository, "worktree", "list", "--porcelain")).split("\n\n")
    const entry = entries.find((one) => one.split("\n").includes(`branch refs/heads/${branch}`))
    const directory = entry?.split("\n")[0]?.replace(/^worktree /, "")
    return directory ?? (yield* new DemoFailed({ message: `git knows no worktree of the branch ${branch}` }))
  })
