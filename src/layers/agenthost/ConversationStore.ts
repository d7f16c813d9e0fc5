import { Context, type Effect } from "effect"
import type { Conversation } from "./Conversation.ts"
import type { NotStored } from "./NotStored.ts"

/** The conversations of all agents, by workspace id. */
export class ConversationStore extends Context.Tag("fleet-mcp/layers/agenthost/ConversationStore")<
  ConversationStore,
  {
    /** The conversation of a workspace as it was left, a new one if it has none: one, for all who have it open. */
    readonly open: (workspaceId: string) => Effect.Effect<Conversation, NotStored>
    readonly discard: (workspaceId: string) => Effect.Effect<void, NotStored>
  }
>() {}
