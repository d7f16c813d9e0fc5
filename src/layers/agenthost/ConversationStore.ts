import { Context, DateTime, Effect, Layer } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import { limitOutput, type Recorded } from "./OutputLimit.ts"
import { byteLength } from "../../schemas/Text.ts"

/**
 * What was said to one agent and by it, as AgentAPI lists it: ids 0, 1, 2, ... without gaps, the first one an agent's.
 * Output is limited ({@link limitOutput}); prompts and the last line of a turn are recorded whatever the limits say.
 */
export interface Conversation {
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  /** A new message. */
  readonly append: (role: "agent" | "user", content: string) => Effect.Effect<void>
  /** More output of the agent, added to the last message. */
  readonly extend: (output: string) => Effect.Effect<void>
  /** The last line of the last message. */
  readonly close: (line: string) => Effect.Effect<void>
}

/** A conversation in memory. */
export const makeMemory: Effect.Effect<Conversation> = Effect.sync(() => {
  const messages: Array<Message> = []
  let recorded: Recorded = { line: 0, total: 0 }

  const add = (role: "agent" | "user", content: string, time: string) => {
    messages.push({ id: messages.length, role, content, time })
    recorded = { line: 0, total: recorded.total + byteLength(content) }
  }
  const change = (rewrite: (content: string) => string) => {
    const last = messages.pop()
    if (last !== undefined) messages.push({ ...last, content: rewrite(last.content) })
  }

  return {
    messages: Effect.sync(() => [...messages]),
    append: (role, content) => Effect.map(DateTime.now, (now) => add(role, content, DateTime.formatIso(now))),
    extend: (output) =>
      Effect.sync(() => {
        const [text, after] = limitOutput(recorded, output)
        recorded = after
        change((content) => content + text)
      }),
    close: (line) =>
      Effect.sync(() =>
        change((content) => (content === "" || content.endsWith("\n") ? content : `${content}\n`) + line)
      )
  }
})

/** The conversations of all agents, by workspace id. */
export class ConversationStore extends Context.Tag("fleet-mcp/layers/agenthost/ConversationStore")<
  ConversationStore,
  {
    /** The conversation of a workspace, a new one if it has none. */
    readonly open: (workspaceId: string) => Effect.Effect<Conversation>
    readonly discard: (workspaceId: string) => Effect.Effect<void>
  }
>() {
  /** Conversations that end with the process. */
  static readonly layerMemory: Layer.Layer<ConversationStore> = Layer.sync(this, () => {
    const conversations = new Map<string, Conversation>()
    return {
      open: (workspaceId) =>
        Effect.suspend(() => {
          const known = conversations.get(workspaceId)
          if (known !== undefined) return Effect.succeed(known)
          return Effect.tap(makeMemory, (conversation) => void conversations.set(workspaceId, conversation))
        }),
      discard: (workspaceId) => Effect.sync(() => void conversations.delete(workspaceId))
    }
  })
}
