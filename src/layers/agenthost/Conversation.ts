import { DateTime, Effect } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import type { HostLimits } from "./HostLimits.ts"
import { jsonBytes } from "./JsonSize.ts"
import { makeBoundedText, makeLineLimit, sizeText, type BoundedText } from "./OutputLimit.ts"

/**
 * What was said to one agent and by it, as AgentAPI lists it: ids 0, 1, 2, ... in the order of their making. Each message
 * is bounded, and so are all of them ({@link HostLimits}); what was left out is told in its place. The last two messages,
 * a prompt and its answer, always stay.
 */
export interface Conversation {
  /**
   * The messages that are kept. Where older ones were left out, the first message says how many; it has the id of the
   * last of them.
   */
  readonly messages: Effect.Effect<ReadonlyArray<Message>>
  /** A new message. */
  readonly append: (role: "agent" | "user", content: string) => Effect.Effect<void>
  /** More output of the agent, added to the last message. */
  readonly extend: (output: string) => Effect.Effect<void>
  /** The last line of the last message: it stays whatever else is left out. */
  readonly close: (line: string) => Effect.Effect<void>
}

/** The last message: the one that may still change. */
interface OpenMessage {
  readonly head: Omit<Message, "content">
  readonly text: BoundedText
  readonly limitLines: (piece: string) => string
  lastLine: string | undefined
}

const contentOf = ({ lastLine, text }: OpenMessage): string => {
  const said = text.text()
  if (lastLine === undefined) return said
  return (said === "" || said.endsWith("\n") ? said : `${said}\n`) + lastLine
}

// One message of `{"messages":[...]}`, with its comma.
const sizeOf = (message: Message): number => jsonBytes(message.content) + envelopeOf(message)
const envelopeOf = ({ id, role, time }: Omit<Message, "content">): number =>
  JSON.stringify({ id, role, content: "", time }).length + 1

// The rest of the body: its outer braces, and the message about what was left out.
const otherBytes = 320

/** A conversation in memory. */
export const makeConversation = (limits: HostLimits["Type"]): Conversation => {
  const settled: Array<Message> = []
  let settledBytes = 0
  let open: OpenMessage | undefined
  let leftOut: Message | undefined

  const openBytes = () => {
    if (open === undefined) return 0
    const end = open.lastLine === undefined ? 0 : jsonBytes(open.lastLine) + 2
    return envelopeOf(open.head) + open.text.size() + end
  }

  const settle = () => {
    if (open === undefined) return
    const message = { ...open.head, content: contentOf(open) }
    settled.push(message)
    settledBytes += sizeOf(message)
  }

  const leaveOut = () => {
    while (settled.length > 1 && settledBytes + openBytes() + otherBytes > limits.conversation) {
      leftOut = settled.shift()
      if (leftOut !== undefined) settledBytes -= sizeOf(leftOut)
    }
  }

  const mark = ({ id, time }: Message): Message => {
    const what = id === 0 ? "the oldest message is" : `the ${id + 1} oldest messages are`
    const content = `[${what} left out; a conversation holds at most ${sizeText(limits.conversation)}]`
    return { id, role: "agent", content, time }
  }

  const change = (how: (message: OpenMessage) => void) =>
    Effect.sync(() => {
      if (open === undefined) return
      how(open)
      leaveOut()
    })

  return {
    messages: Effect.sync(() => [
      ...(leftOut === undefined ? [] : [mark(leftOut)]),
      ...settled,
      ...(open === undefined ? [] : [{ ...open.head, content: contentOf(open) }])
    ]),
    append: (role, content) =>
      Effect.map(DateTime.now, (now) => {
        settle()
        const id = open === undefined ? 0 : open.head.id + 1
        const text = makeBoundedText(limits.message)
        text.add(content)
        open = {
          head: { id, role, time: DateTime.formatIso(now) },
          text,
          limitLines: makeLineLimit(limits.outputLine),
          lastLine: undefined
        }
        leaveOut()
      }),
    extend: (output) => change(({ limitLines, text }) => text.add(limitLines(output))),
    close: (line) =>
      change((message) => {
        message.lastLine = makeLineLimit(limits.outputLine)(line)
      })
  }
}
