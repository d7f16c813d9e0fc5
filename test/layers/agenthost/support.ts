import { Effect, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { discard } from "../../support/Secrets.ts"

/** Waits until a condition holds, at most 10 s. */
export const eventually = (what: string, holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < 1000; attempt++) {
      if (holds()) return
      yield* Effect.sleep("10 millis")
    }
    return yield* Effect.dieMessage(`never seen: ${what}`)
  })

export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "fleet-mcp-")))),
  (directory) => Effect.sync(() => discard(directory))
)

/** A process that is dead but not yet reaped counts as gone. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" && !existsSync("/proc/self")
  }
}

/** Waits for a file that holds a process id, and reads it. */
export const pidIn = (directory: string, name: string): Effect.Effect<number> => {
  const file = join(directory, name)
  const read = () => (existsSync(file) ? readFileSync(file, "utf8").trim() : "")
  return Effect.map(
    eventually(`a process id in ${name}`, () => read() !== ""),
    () => Number(read())
  )
}

/** The shell line that starts a child which writes its process id to a file and does not mind SIGTERM. */
export const stubbornChild = (file: string): string =>
  `sh -c 'trap "" TERM INT HUP; echo $$ > ${file}; while :; do sleep 0.05; done' >/dev/null 2>&1 &`

/** Every process started with this environment can be found by {@link leftovers}. */
export const mark = randomUUID()
export const environment = {
  PATH: process.env["PATH"] ?? "",
  HOME: process.env["HOME"] ?? "",
  GIT_AUTHOR_NAME: mark
}

const isMarked = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").includes(mark)
  } catch {
    return false
  }
}

/** Processes of this test file that are still there (Linux; elsewhere nothing is found). */
export const leftovers = (): ReadonlyArray<number> =>
  existsSync("/proc/self")
    ? readdirSync("/proc")
        .map(Number)
        .filter((pid) => isAlive(pid) && isMarked(pid))
    : []

export const git = (directory: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-C", directory, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  }).trim()
