import { Effect, Either, Option, Schema } from "effect"
import * as fs from "node:fs"

/** How the start of a supervisor went, for the front end that started it. */
const StartReport = Schema.Struct({
  /** `taken`: another one runs. */
  state: Schema.Literal("ready", "taken", "failed"),
  message: Schema.String
})
type StartReport = typeof StartReport.Type

const Line = Schema.parseJson(StartReport)
const encode = Schema.encodeSync(Line)
const decode = Schema.decodeUnknownEither(Line)

/** The variable by which a supervisor knows that a front end waits for its report on file descriptor 3. */
export const reportVariable = "FLEET_MCP_REPORT_START"

/** Whether a front end started this process, and was not told yet how that went. */
export const isWaitedFor = (): boolean => process.env[reportVariable] !== undefined

const tell = (report: StartReport): void => {
  if (!isWaitedFor()) return
  delete process.env[reportVariable]
  Option.liftThrowable(() => {
    fs.writeSync(3, `${encode(report)}\n`)
    fs.closeSync(3)
  })()
}

/** Tells the front end that started this process, if there is one and if it is still there. Said once. */
export const reportStart = (report: StartReport): Effect.Effect<void> => Effect.sync(() => tell(report))

/** How a start went, as far as whoever began it can tell: `lost` where it ended, or was killed, before it said so. */
export type StartOutcome = StartReport | { readonly state: "lost"; readonly message: string }

/** What was read from a start, once it has ended its report. */
export const readReport = (text: string): StartOutcome =>
  Either.getOrElse(decode(text.trim()), () => ({ state: "lost", message: "it ended without a word" }) as const)
