import { Context, Effect, Layer } from "effect"
import { makeConversation, type Conversation } from "./Conversation.ts"
import { HostLimits } from "./HostLimits.ts"

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
  static readonly layerMemory: Layer.Layer<ConversationStore> = Layer.effect(
    this,
    Effect.map(HostLimits, (limits) => {
      const conversations = new Map<string, Conversation>()
      return {
        open: (workspaceId) =>
          Effect.sync(() => {
            const conversation = conversations.get(workspaceId) ?? makeConversation(limits)
            conversations.set(workspaceId, conversation)
            return conversation
          }),
        discard: (workspaceId) => Effect.sync(() => void conversations.delete(workspaceId))
      }
    })
  )
}
