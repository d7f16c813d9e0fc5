import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Schema } from "effect"
import { readFileSync } from "node:fs"
import { readScreen, type AgentScreen } from "../../../src/layers/repositories/AgentScreen.ts"
import { AgentApiStatus, type Message } from "../../../src/schemas/agentapi/AgentApi.ts"

const Screen = Schema.Struct({
  state: Schema.String,
  truth: Schema.Literal("starting", "idle", "busy", "waiting", "login", "failed"),
  status: Schema.NullOr(AgentApiStatus),
  messages: Schema.Array(Schema.Struct({ id: Schema.Number, role: Schema.String, text: Schema.Number }))
})
type Screen = typeof Screen.Type

const Reaction = Schema.Struct({
  http_status: Schema.Number,
  default_option_ran: Schema.optional(Schema.Boolean),
  then: Schema.Array(Screen)
})

const Recording = Schema.Struct({
  texts: Schema.Array(Schema.String),
  samples: Schema.Array(
    Schema.Struct({
      ...Screen.fields,
      after_escape: Schema.optional(Reaction),
      after_user_message: Schema.optional(Reaction)
    })
  )
})

const time = "2026-01-01T12:00:00Z"

const load = (name: string) => {
  const file = new URL(`../../fixtures/agentapi/dialogues-${name}.json`, import.meta.url)
  const { samples, texts } = Schema.decodeUnknownSync(Schema.parseJson(Recording))(readFileSync(file, "utf8"))
  const read = (screen: Screen): AgentScreen =>
    readScreen(
      screen.status ?? { status: "", agent_type: "claude" },
      screen.messages.map(({ id, role, text }) => ({ id, role, content: texts[text] ?? "", time }))
    )
  /** Screens in a row; without an answer of AgentAPI there is none. */
  const answered = (screens: ReadonlyArray<Screen>) =>
    screens
      .filter(({ messages, status }) => status !== null && messages.length > 0)
      .map((screen) => ({ ...screen, seen: read(screen) }))
  return {
    samples: samples.map((sample) => ({ ...sample, seen: read(sample) })),
    then: answered(
      samples.flatMap(({ after_escape, after_user_message }) => [
        ...(after_escape?.then ?? []),
        ...(after_user_message?.then ?? [])
      ])
    )
  }
}

const recordings = { newer: load("0.12.1-2.1.332"), older: load("0.12.1-2.1.84"), head: load("head-2.1.84") }

const isDialogue = ({ seen }: { readonly seen: AgentScreen }) => seen._tag === "Dialogue"

/** A login menu is a dialogue too, where the recording calls it a login. */
const counted = (samples: ReadonlyArray<Screen & { readonly seen: AgentScreen }>) => {
  const waiting = samples.filter(({ truth }) => truth === "waiting")
  const others = samples.filter(({ truth }) => truth !== "waiting" && truth !== "login")
  return {
    hits: `${waiting.filter(isDialogue).length}/${waiting.length}`,
    false: `${others.filter(isDialogue).length}/${others.length}`
  }
}

describe("recorded screens of Claude Code", () => {
  it("all dialogues are seen, and nothing else is taken for one", () => {
    assert.deepStrictEqual(counted(recordings.newer.samples), { hits: "14/14", false: "0/60" })
    assert.deepStrictEqual(counted(recordings.older.samples), { hits: "29/29", false: "0/196" })
    assert.deepStrictEqual(counted(recordings.head.samples), { hits: "20/20", false: "0/81" })
  })
})
