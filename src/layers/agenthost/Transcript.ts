import { Array } from "effect"
import type { Message } from "../../schemas/agentapi/AgentApi.ts"
import { makeBoundedText, type BoundedText, type TextPart, type TextSize } from "./BoundedText.ts"
import type { HostLimits } from "./HostLimits.ts"
import { jsonBytes } from "./JsonSize.ts"
import { makeLineLimit, sizeText } from "./OutputLimit.ts"

type Head = Omit<Message, "content">

/** A message as it is stored, without the parts of its text. */
export interface StoredMessage extends Head {
  /** The id of the first part that can belong to it. */
  readonly firstPart: number
  /** What was dropped from the middle of its text. */
  readonly leftOut: TextSize
  readonly lastLine: string | null
}

/** A part of a message as it is stored. Ids count over the whole conversation; a part never becomes shorter. */
export interface StoredPart extends TextPart {
  readonly message: number
}

/** The newest of the messages that were dropped. */
export type LeftOut = Pick<Message, "id" | "time">

/** A conversation as it is stored: messages and parts by id. */
export interface StoredTranscript {
  readonly messages: ReadonlyArray<StoredMessage>
  readonly parts: ReadonlyArray<StoredPart>
  readonly leftOut: LeftOut | null
}

/** What has to be stored next, as a whole or not at all. Rows that are not there need not be removed. */
export interface TranscriptChange extends StoredTranscript {
  readonly removedParts: ReadonlyArray<number>
  /** Their parts go with them. */
  readonly removedMessages: ReadonlyArray<number>
}

/** New messages, before they are there. */
export interface Draft {
  /** Everything that has to be stored, these messages among it. */
  readonly change: TranscriptChange
  /** The id of the first of them. */
  readonly firstId: number
  /** Has them in the transcript. Nothing else may have changed it since. */
  readonly accept: () => void
}

/**
 * What was said to one agent and by it, as AgentAPI lists it: ids 0, 1, 2, ... in the order of their making. Each message
 * is bounded, and so are all of them ({@link HostLimits}); what was left out is told in its place. The last two messages,
 * a prompt and its answer, always stay. It is in this process; what of it is not stored yet it knows.
 */
export interface Transcript {
  /**
   * The messages that are kept. Where older ones were left out, the first message says how many; it has the id of the
   * last of them.
   */
  readonly messages: () => ReadonlyArray<Message>
  readonly isEmpty: () => boolean
  /** More messages, made at a time. */
  readonly draft: (time: string, said: ReadonlyArray<Pick<Message, "role" | "content">>) => Draft
  /** More output of the agent, added to the last message. */
  readonly extend: (output: string) => void
  /** The last line of the last message: it stays whatever else is left out. */
  readonly close: (line: string) => void
  /** What is not stored yet; undefined where there is nothing. */
  readonly pending: () => TranscriptChange | undefined
  /** Whether there is nothing. */
  readonly isStored: () => boolean
  /** A change has been stored. */
  readonly stored: (change: TranscriptChange) => void
}

interface Entry {
  readonly head: Head
  readonly firstPart: number
  readonly text: BoundedText
  readonly limitLines: (piece: string) => string
  lastLine: string | null
  stored: StoredMessage | undefined
}

/** A message that does not change any more, and its size. */
interface Settled {
  readonly entry: Entry
  readonly bytes: number
}

/** All but what waits to be stored. */
interface State {
  readonly settled: ReadonlyArray<Settled>
  readonly settledBytes: number
  readonly open: Entry | undefined
  readonly leftOut: LeftOut | null
}

const contentOf = ({ lastLine, text }: Entry): string => {
  const said = text.text()
  if (lastLine === null) return said
  return (said === "" || said.endsWith("\n") ? said : `${said}\n`) + lastLine
}

const messageOf = (entry: Entry): Message => ({ ...entry.head, content: contentOf(entry) })

// One message of `{"messages":[...]}`, with its comma.
const envelopeOf = ({ id, role, time }: Head): number => JSON.stringify({ id, role, content: "", time }).length + 1
const settledOf = (entry: Entry): Settled => ({
  entry,
  bytes: jsonBytes(contentOf(entry)) + envelopeOf(entry.head)
})
const openBytes = ({ head, lastLine, text }: Entry): number =>
  envelopeOf(head) + text.size() + (lastLine === null ? 0 : jsonBytes(lastLine) + 2)

// The rest of the body: its outer braces, and the message about what was left out.
const otherBytes = 320

const rowOf = ({ firstPart, head, lastLine, text }: Entry): StoredMessage => ({
  ...head,
  firstPart,
  lastLine,
  leftOut: text.leftOut()
})

const isRowStored = ({ lastLine, stored, text }: Entry): boolean =>
  stored !== undefined && stored.lastLine === lastLine && stored.leftOut.bytes === text.leftOut().bytes

/** A transcript: an empty one, or one that goes on from what was stored. */
export const makeTranscript = (limits: HostLimits["Type"], before?: StoredTranscript): Transcript => {
  const partsBefore = Array.groupBy(before?.parts ?? [], ({ message }) => String(message))
  let parts = Math.max(before?.messages.at(-1)?.firstPart ?? 0, (before?.parts.at(-1)?.id ?? -1) + 1)

  const entryOf = (head: Head, firstPart: number, from?: StoredMessage): Entry => ({
    head,
    firstPart,
    text: makeBoundedText({
      limit: limits.message,
      part: limits.part,
      smallPart: limits.smallPart,
      nextId: () => parts++,
      ...(from === undefined
        ? {}
        : {
            before: {
              parts: partsBefore[head.id] ?? [],
              leftOut: from.leftOut
            }
          })
    }),
    limitLines: makeLineLimit(limits.outputLine),
    lastLine: from?.lastLine ?? null,
    stored: from
  })

  /** Drops the oldest of the settled messages, as long as there are more than the last one and all are too large. */
  const bounded = (next: State): State & { readonly dropped: ReadonlyArray<Entry> } => {
    const open = next.open === undefined ? 0 : openBytes(next.open)
    let { settledBytes } = next
    let count = 0
    while (next.settled.length - count > 1 && settledBytes + open + otherBytes > limits.conversation) {
      settledBytes -= next.settled[count++]?.bytes ?? 0
    }
    const dropped = next.settled.slice(0, count).map(({ entry }) => entry)
    const last = dropped.at(-1)
    if (last === undefined) return { ...next, dropped }
    return {
      settled: next.settled.slice(count),
      settledBytes,
      open: next.open,
      leftOut: { id: last.head.id, time: last.head.time },
      dropped
    }
  }

  const settle = ({ open, ...rest }: State): State => {
    if (open === undefined) return { ...rest, open }
    const settled = settledOf(open)
    return {
      ...rest,
      settled: [...rest.settled, settled],
      settledBytes: rest.settledBytes + settled.bytes,
      open: undefined
    }
  }

  const restored = (before?.messages ?? []).map(({ firstPart, id, lastLine, leftOut, role, time }) =>
    entryOf({ id, role, time }, firstPart, { id, role, time, firstPart, lastLine, leftOut })
  )
  const older = restored.slice(0, -1).map(settledOf)
  let state: State = {
    settled: older,
    settledBytes: older.reduce((sum, { bytes }) => sum + bytes, 0),
    open: restored.at(-1),
    leftOut: before?.leftOut ?? null
  }
  // Those that may have something that is not stored.
  let unstored = new Set<Entry>()
  let removed: ReadonlyArray<number> = []

  const changeOf = (
    entries: ReadonlySet<Entry>,
    { leftOut }: State,
    removedMessages: ReadonlyArray<number>
  ): TranscriptChange => ({
    messages: [...entries].filter((entry) => !isRowStored(entry)).map(rowOf),
    parts: [...entries].flatMap(({ head, text }) => text.unstored().map((part) => ({ ...part, message: head.id }))),
    removedParts: [...entries].flatMap(({ text }) => text.surplus()),
    removedMessages,
    leftOut
  })

  const without = (entries: Iterable<Entry>, dropped: ReadonlyArray<Entry>): Set<Entry> => {
    const left = new Set(entries)
    for (const entry of dropped) left.delete(entry)
    return left
  }

  const mark = ({ id, time }: LeftOut): Message => {
    const what = id === 0 ? "the oldest message is" : `the ${id + 1} oldest messages are`
    const content = `[${what} left out; a conversation holds at most ${sizeText(limits.conversation)}]`
    return { id, role: "agent", content, time }
  }

  const change = (how: (entry: Entry) => void) => {
    const { open } = state
    if (open === undefined) return
    how(open)
    const { dropped, ...next } = bounded(state)
    state = next
    unstored.add(open)
    if (dropped.length === 0) return
    unstored = without(unstored, dropped)
    removed = [...removed, ...dropped.map(({ head }) => head.id)]
  }

  return {
    messages: () => [
      ...(state.leftOut === null ? [] : [mark(state.leftOut)]),
      ...state.settled.map(({ entry }) => messageOf(entry)),
      ...(state.open === undefined ? [] : [messageOf(state.open)])
    ],
    isEmpty: () => state.open === undefined,
    draft: (time, said) => {
      let next = state
      const added: globalThis.Array<Entry> = []
      const dropped: globalThis.Array<Entry> = []
      for (const { content, role } of said) {
        const id = next.open === undefined ? 0 : next.open.head.id + 1
        const open = entryOf({ id, role, time }, parts)
        open.text.add(content)
        added.push(open)
        const { dropped: more, ...after } = bounded({ ...settle(next), open })
        next = after
        dropped.push(...more)
      }
      const entries = without([...unstored, ...added], dropped)
      const gone = [...removed, ...dropped.map(({ head }) => head.id)]
      return {
        change: changeOf(entries, next, gone),
        firstId: state.open === undefined ? 0 : state.open.head.id + 1,
        accept: () => {
          state = next
          unstored = entries
          removed = gone
        }
      }
    },
    extend: (output) => change(({ limitLines, text }) => text.add(limitLines(output))),
    close: (line) =>
      change((entry) => {
        entry.lastLine = makeLineLimit(limits.outputLine)(line)
      }),
    pending: () => {
      const found = changeOf(unstored, state, removed)
      const { messages, parts: added, removedMessages, removedParts } = found
      return [messages, added, removedMessages, removedParts].every(({ length }) => length === 0) ? undefined : found
    },
    isStored: () => removed.length === 0 && unstored.size === 0,
    stored: ({ messages, parts: added, removedMessages, removedParts }) => {
      for (const entry of unstored) {
        entry.stored = messages.findLast(({ id }) => id === entry.head.id) ?? entry.stored
        const last = added.findLast(({ message }) => message === entry.head.id)
        entry.text.stored(last?.id ?? -1, removedParts)
      }
      unstored = new Set([...unstored].filter((entry) => !isRowStored(entry) || !entry.text.isStored()))
      const gone = new Set(removedMessages)
      removed = removed.filter((id) => !gone.has(id))
    }
  }
}
