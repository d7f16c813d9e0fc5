import { Clock, Effect, Option, Predicate, Record } from "effect"
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import { Readable } from "node:stream"
import { agentEnvironment } from "../../layers/agenthost/process/Environment.ts"
import { isAlive } from "../Processes.ts"
import type { Environment } from "../Settings.ts"
import type { Place } from "./Place.ts"
import { readReport, reportVariable, type StartOutcome } from "./Report.ts"

/** Variables of the fleet that a supervisor has from whoever starts it. */
const settings = new Set(["FLEET_MCP_IDLE_MINUTES", "LOG_LEVEL", "XDG_RUNTIME_DIR"])

const environmentOf = (environment: Environment, { stateDirectory }: Place) => {
  const given = Record.filter(environment, Predicate.isNotUndefined)
  return {
    ...agentEnvironment(given),
    ...Record.filter(given, (_, name) => settings.has(name)),
    FLEET_MCP_STATE_DIR: stateDirectory,
    [reportVariable]: "true"
  }
}

/** How long who has begun to start a supervisor is waited for (ms). */
const longestStart = 10_000

/**
 * Whether somebody is starting the supervisor just now (`now` in ms): a process that lives began it, and not long ago, nor
 * in the future. It only saves processes: the supervisor's lock decides.
 */
export const isStarting = ({ starting }: Place, now: number): boolean =>
  Option.liftThrowable(() => {
    const { mtimeMs } = fs.statSync(starting)
    const pid = Number(fs.readFileSync(starting, "utf8"))
    return Math.abs(now - mtimeMs) < longestStart && pid > 0 && isAlive(pid)
  })().pipe(Option.getOrElse(() => false))

/** Makes the file with all that it says, or not at all. */
const makeStarting = Option.liftThrowable((starting: string) => {
  const draft = `${starting}.${process.pid}`
  fs.writeFileSync(draft, String(process.pid), { mode: 0o600 })
  try {
    fs.linkSync(draft, starting)
  } finally {
    fs.rmSync(draft, { force: true })
  }
})

/** Whether this process is the one to start the supervisor. */
const begin = (place: Place, now: number): boolean => {
  if (Option.isSome(makeStarting(place.starting))) return true
  if (isStarting(place, now)) return false
  fs.rmSync(place.starting, { force: true })
  return Option.isSome(makeStarting(place.starting))
}

const spawned = (place: Place, program: string, environment: Environment) =>
  Effect.async<StartOutcome>((resume) => {
    const failed = (error: unknown) =>
      resume(Effect.succeed({ state: "failed", message: error instanceof Error ? error.message : String(error) }))
    try {
      const log = fs.openSync(place.log, "a", 0o600)
      const child = spawn(process.execPath, [program, "supervisor"], {
        cwd: "/",
        env: environmentOf(environment, place),
        detached: true,
        stdio: ["ignore", log, log, "pipe"]
      })
      fs.closeSync(log)
      child.once("error", failed)
      child.unref()
      const report = child.stdio[3]
      if (!(report instanceof Readable)) return failed("its report cannot be read")
      let text = ""
      report.on("error", failed)
      report.on("data", (bytes: Buffer) => {
        text += bytes.toString("utf8")
      })
      report.once("close", () => resume(Effect.succeed(readReport(text))))
      return Effect.sync(() => report.destroy())
    } catch (error) {
      failed(error)
    }
  })

/**
 * Starts a supervisor that outlives this process, and waits for how that went; none where somebody else is starting one.
 */
export const startSupervisor = (
  place: Place,
  program: string,
  environment: Environment
): Effect.Effect<Option.Option<StartOutcome>> =>
  Effect.acquireUseRelease(
    Effect.map(Clock.currentTimeMillis, (now) => begin(place, now)),
    (isMine) => (isMine ? Effect.asSome(spawned(place, program, environment)) : Effect.succeedNone),
    (isMine) => Effect.sync(() => (isMine ? fs.rmSync(place.starting, { force: true }) : undefined))
  )
