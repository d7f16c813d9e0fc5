import { Schema } from "effect"
import { readFileSync } from "node:fs"

// Screens of Claude Code while it waits for a person, as AgentAPI told them (fixtures/agentapi).

const Sample = Schema.Struct({
  truth: Schema.String,
  state: Schema.String,
  status: Schema.NullOr(Schema.Struct({ status: Schema.String })),
  messages: Schema.Array(Schema.Struct({ id: Schema.Number, role: Schema.String, text: Schema.Number })),
  after_escape: Schema.optional(Schema.Unknown)
})
const Recording = Schema.Struct({ texts: Schema.Array(Schema.String), samples: Schema.Array(Sample) })

const load = (name: string) => {
  const file = new URL(`../fixtures/agentapi/dialogues-${name}.json`, import.meta.url)
  return Schema.decodeUnknownSync(Schema.parseJson(Recording))(readFileSync(file, "utf8"))
}

export interface Message {
  readonly id: number
  readonly role: "agent" | "user"
  readonly content: string
  readonly time: string
}

/** The conversation of the first sample of that state in which a person is waited for. */
const waitingAt = (recording: typeof Recording.Type, state: RegExp): Array<Message> => {
  const found = recording.samples.find((one) => one.truth === "waiting" && state.test(one.state))
  if (found === undefined) throw new Error(`no sample waits at ${state}`)
  return found.messages.map(({ id, role, text }) => ({
    id,
    role: role === "user" ? "user" : "agent",
    content: recording.texts[text] ?? "",
    time: "2026-01-01T00:00:00Z"
  }))
}

const newer = load("0.12.1-2.1.332")
const older = load("0.12.1-2.1.84")

/** Asks whether a file may be written; what is on the screen is certain. */
export const writePermission = waitingAt(newer, /write|edit/)
/** The same in an older version, where an old dialogue can stay in the message. */
export const olderPermission = waitingAt(older, /bash|write|edit/)
/** Asks whether the folder is trusted: Escape ends the agent. */
export const trust = waitingAt(newer, /trust/)
