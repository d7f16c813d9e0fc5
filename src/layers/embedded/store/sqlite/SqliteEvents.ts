import { Schema } from "effect"
import { FleetEvent } from "../../../../schemas/fleet/FleetEvent.ts"
import type { EventChange, EventRows } from "../EventLog.ts"
import type { Database } from "./Database.ts"

const Entries = Schema.Array(
  Schema.Struct({
    position: Schema.Number,
    workspace_id: Schema.String,
    since: Schema.Number,
    at: Schema.Number
  })
)
const Events = Schema.Array(Schema.Struct({ event: Schema.parseJson(FleetEvent) }))
const About = Schema.Struct({ id: Schema.String, dropped: Schema.Number })

const decodeEntries = Schema.decodeUnknownSync(Entries)
const decodeEvents = Schema.decodeUnknownSync(Events)
const decodeAbout = Schema.decodeUnknownSync(About)
const encodeEvent = Schema.encodeSync(Schema.parseJson(FleetEvent))

/** Events in a file; `keep` belongs into the transaction of their commit. What cannot be read is thrown as `refused` has it. */
export const sqliteEvents = (
  database: Database,
  refused: (error: unknown) => unknown
): { readonly rows: EventRows; readonly keep: (change: EventChange) => void } => {
  const { dropped, id } = decodeAbout(database.prepare("SELECT id, dropped FROM journal").get())
  const page = database.prepare("SELECT event FROM events WHERE position > ? ORDER BY position LIMIT ?")
  const one = database.prepare("SELECT event FROM events WHERE position = ?")
  const add = database.prepare("INSERT INTO events (position, workspace_id, since, at, event) VALUES (?, ?, ?, ?, ?)")
  const remove = database.prepare("DELETE FROM events WHERE position = ?")
  const setDropped = database.prepare("UPDATE journal SET dropped = ?")

  const read = <A>(work: () => A): A => {
    try {
      return work()
    } catch (error) {
      throw refused(error)
    }
  }

  return {
    rows: {
      id,
      kept: {
        entries: decodeEntries(
          database.prepare("SELECT position, workspace_id, since, at FROM events ORDER BY position").all()
        ),
        dropped
      },
      page: (after, limit) => read(() => decodeEvents(page.all(after, limit)).map(({ event }) => event)),
      at: (positions) =>
        read(() => decodeEvents(positions.flatMap((position) => one.all(position))).map(({ event }) => event))
    },
    keep: (change) => {
      for (const event of change.added) {
        const { position, since, workspace_id } = event
        add.run(position, workspace_id, since, Date.parse(event.at), encodeEvent(event))
      }
      for (const position of change.removed) remove.run(position)
      if (change.dropped !== undefined) setDropped.run(change.dropped)
    }
  }
}
