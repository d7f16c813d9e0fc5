import { Array, Option } from "effect"
import type { StoredTranscript, TranscriptChange } from "../../agenthost/Transcript.ts"
import { type ReadRows, type Rows, textKey } from "./Tables.ts"

/** The transcript of a workspace; an empty one where it has none. */
export const readTranscript = (rows: ReadRows, workspaceId: string): StoredTranscript => ({
  messages: rows.messages
    .select("workspace", workspaceId)
    .map(({ first_part, id, last_line, left_out, role, time }) => ({
      id,
      role,
      time,
      firstPart: first_part,
      leftOut: left_out,
      lastLine: last_line
    })),
  parts: rows.parts
    .select("workspace", workspaceId)
    .map(({ id, message_id, text }) => ({ id, message: message_id, text })),
  leftOut: Option.match(Array.head(rows.transcripts.select("workspace", workspaceId)), {
    onNone: () => null,
    onSome: ({ left_out }) => left_out
  })
})

/** Makes of the rows of a transcript what they are after a change. */
export const writeTranscript = (rows: Rows, workspace_id: string, change: TranscriptChange): void => {
  const gone = new Set(change.removedMessages)
  for (const id of gone) rows.messages.remove(textKey(workspace_id, id))
  if (gone.size > 0) {
    const parts = rows.parts.select("workspace", workspace_id).filter(({ message_id }) => gone.has(message_id))
    for (const { id } of parts) rows.parts.remove(textKey(workspace_id, id))
    rows.transcripts.put({ workspace_id, left_out: change.leftOut })
  }
  for (const id of change.removedParts) rows.parts.remove(textKey(workspace_id, id))
  for (const { firstPart, id, lastLine, leftOut, role, time } of change.messages) {
    const text = { first_part: firstPart, left_out: leftOut, last_line: lastLine }
    rows.messages.put({ workspace_id, id, role, time, ...text })
  }
  for (const { id, message, text } of change.parts) rows.parts.put({ workspace_id, id, message_id: message, text })
}

/** Removes all text of a workspace, also where it cannot be read. */
export const removeTranscript = (rows: Rows, workspaceId: string): void => {
  for (const table of [rows.parts, rows.messages, rows.transcripts]) table.removeOf(workspaceId)
}
