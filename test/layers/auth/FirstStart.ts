// A first start in a process of its own: it waits for a line on stdin, reads or makes the main token, and prints it.
// KILL_AT=N: it is killed before its Nth call to the file system. UMASK: its umask, octal.
import { Effect, Exit, Redacted } from "effect"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { storeAt } from "./support.ts"

const [file = "", action = "main"] = process.argv.slice(2)
const killAt = Number(process.env["KILL_AT"] ?? "0")
process.umask(Number.parseInt(process.env["UMASK"] ?? "022", 8))

const watched = [
  "chmodSync",
  "closeSync",
  "fchmodSync",
  "fstatSync",
  "fsyncSync",
  "linkSync",
  "lstatSync",
  "mkdirSync",
  "openSync",
  "readSync",
  "readdirSync",
  "realpathSync",
  "renameSync",
  "statSync",
  "unlinkSync",
  "writeFileSync"
] as const

const countCalls = () => {
  let calls = 0
  const functions = fs as unknown as Record<string, (...args: ReadonlyArray<unknown>) => unknown>
  for (const name of watched) {
    const original = functions[name]
    functions[name] = (...args) => {
      if (++calls === killAt) process.kill(process.pid, "SIGKILL")
      return original?.(...args)
    }
  }
  syncBuiltinESMExports()
}

process.stdin.once("data", () => {
  process.stdin.destroy()
  if (killAt > 0) countCalls()
  const exit = Effect.runSyncExit(
    Effect.flatMap(storeAt(file), (store) =>
      action === "rotate" ? Effect.zipRight(store.rotate, store.main) : store.main
    )
  )
  process.stdout.write(Exit.isSuccess(exit) ? Redacted.value(exit.value) : `failed: ${String(exit.cause)}`)
})
process.stdout.write("ready\n")
