import type { Effect } from "effect"
import { reportMessageBytes, type PatchAppStatus } from "../../schemas/coder/Builds.ts"
import { firstBytes, withoutControls } from "../../schemas/Text.ts"

/** What an agent reports about its work. */
export type StatusReport = Pick<PatchAppStatus, "state" | "message">

/**
 * Where an agent host reports to (Coder's app statuses). A report never fails, and takes a bounded time: turns wait for
 * it, so that reports arrive in the order of what they tell.
 */
export interface StatusReporter {
  readonly report: (report: StatusReport) => Effect.Effect<void>
}

/** The first line of a text that says something, as a report's message: no control characters, at most 160 bytes. */
export const statusMessage = (text: string): string => {
  const lines = withoutControls(text).split("\n")
  const line = lines.map((each) => each.replaceAll("\t", " ").trim()).find((each) => each !== "") ?? ""
  return firstBytes(line, reportMessageBytes)
}
