import type { DateTime } from "effect"
import type { ShownEntry } from "../schemas/Conversation.ts"
import { beginning, characterBoundary, headAndTail } from "../schemas/Text.ts"
import * as Render from "./Render.ts"

type Entry = typeof ShownEntry.Encoded

/** A shorter piece of a message is its beginning alone; of a longer one the end is shown too (characters). */
const leastHeadAndTail = 400

/** A part of a message is no shorter: the next one begins further on (characters). */
const leastPart = 100

/** What each message has in any case, before the newest have the rest (characters). */
const share = 40

/** A message from a place on, and where the next part begins. */
const part = (entry: Entry, offset: number, room: number): Entry => {
  const { content } = entry
  const from = characterBoundary(content, offset)
  const to = characterBoundary(content, from + Math.max(room, leastPart))
  return {
    ...entry,
    content: content.slice(from, to),
    characters: content.length,
    offset: from,
    ...(to < content.length ? { next_offset: to } : {})
  }
}

const headOrMore = (entry: Entry, room: number): Entry => {
  const { content, id } = entry
  if (content.length <= room) return entry
  if (room <= leastHeadAndTail) {
    const kept = beginning(content, room)
    return { ...entry, content: `${kept}…`, characters: content.length, next_offset: kept.length }
  }
  let next_offset = 0
  const short = headAndTail(content, room, (from, to) => {
    next_offset = from
    return `\n[${to - from} characters left out: show_agent_log with message_id ${id}, offset ${from}]\n`
  })
  return { ...entry, content: short, characters: content.length, next_offset }
}

/**
 * Messages cut to so many characters in all. Each keeps a little; the first, which are the newest, have the rest. A
 * message with an `offset` is shown from there on, without a tail.
 */
export const shorten = (entries: ReadonlyArray<Entry>, budget: number): ReadonlyArray<Entry> => {
  const least = Math.min(share, Math.floor(budget / Math.max(1, entries.length)))
  let left = budget - entries.reduce((sum, { content }) => sum + Math.min(content.length, least), 0)
  return entries.map((entry) => {
    const kept = Math.min(entry.content.length, least)
    const more = Math.min(entry.content.length - kept, left)
    left -= more
    return entry.offset === undefined ? headOrMore(entry, kept + more) : part(entry, entry.offset, kept + more)
  })
}

/** How much of a message is shown. Where head and tail are, the mark between them says what is left out. */
const extent = ({ characters, content, next_offset, offset }: Entry): string => {
  if (characters === undefined) return ""
  if (offset !== undefined) return `, ${offset} to ${offset + content.length} of ${characters} characters`
  return `, ${content.length > leastHeadAndTail ? "head and tail" : (next_offset ?? 0)} of ${characters} characters`
}

/** A message under a line that says which it is, and how much of it is shown. */
export const entry = (shown: Entry, now: DateTime.Utc): ReadonlyArray<string> => [
  `[${shown.id}] ${shown.type}, ${Render.moment(shown.time, now)}${extent(shown)}`,
  Render.indent(shown.content)
]
