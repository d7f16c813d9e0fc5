import { Chunk, Data, Deferred, Effect, FiberId, Option, Stream } from "effect"
import type { Change, Commit } from "./Tables.ts"

/**
 * What came after `position` is not all kept any more (or never was): what is kept begins after `oldest`. Whoever gets
 * this reads everything afresh, with the position of that.
 */
export class ChangesLost extends Data.TaggedError("ChangesLost")<{
  readonly position: number
  readonly oldest: number
}> {}

/** The newest commits, for those who follow them. */
export interface ChangeLog {
  /** The position of the newest commit; 0 before the first. */
  readonly position: () => number
  /** The position that what is kept begins after. */
  readonly oldest: () => number
  /** Adds a commit, unless nothing changed. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** The commits after a position: those kept, then those to come. */
  readonly after: (position: number) => Stream.Stream<Commit, ChangesLost>
}

/** How much is kept, whichever is reached first. */
export interface Capacity {
  /** Changes of rows. */
  readonly changes: number
  /** Characters of text in them. */
  readonly characters: number
}

const lengthOf = ({ changes }: Pick<Commit, "changes">): number =>
  changes.reduce((sum, { row }) => sum + Option.match(row, { onNone: () => 0, onSome: textLength }), 0)

/** How much text is in a row. */
const textLength = (value: unknown): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 0
  return Object.values(value).reduce<number>((sum, each) => sum + textLength(each), 0)
}

/**
 * Keeps so many changes, those that there were `before` among them, and always the newest commit. There is no queue for a subscriber: each takes what is kept when it is ready for more, so one
 * that is slow costs nothing, and learns when it fell behind.
 */
export const makeChangeLog = (
  capacity: Capacity,
  before: { readonly position: number; readonly commits: ReadonlyArray<Commit> } = { position: 0, commits: [] }
): ChangeLog => {
  const commits = [...before.commits]
  let kept = commits.reduce((sum, { changes }) => sum + changes.length, 0)
  const lengths = commits.map(lengthOf)
  let length = lengths.reduce((sum, each) => sum + each, 0)
  let position = before.position
  // What those wait for who have seen everything.
  let next: Deferred.Deferred<void> | undefined

  const oldestPosition = () => position - commits.length

  const after = (seen: number): Effect.Effect<ReadonlyArray<Commit>, ChangesLost> =>
    Effect.suspend(() => {
      const oldest = oldestPosition()
      if (seen < oldest || seen > position) return new ChangesLost({ position: seen, oldest })
      if (seen < position) return Effect.succeed(commits.slice(seen - oldest))
      next ??= Deferred.unsafeMake(FiberId.none)
      return Effect.zipRight(Deferred.await(next), after(seen))
    })

  return {
    position: () => position,
    oldest: oldestPosition,
    append: (changes) => {
      if (changes.length === 0) return
      commits.push({ position: ++position, changes })
      kept += changes.length
      const added = lengthOf({ changes })
      lengths.push(added)
      length += added
      // However much the newest is, it is told.
      while (commits.length > 1 && (kept > capacity.changes || length > capacity.characters)) {
        kept -= commits.shift()?.changes.length ?? 0
        length -= lengths.shift() ?? 0
      }
      const waiting = next
      next = undefined
      if (waiting !== undefined) Deferred.unsafeDone(waiting, Effect.void)
    },
    after: (from) =>
      Stream.paginateChunkEffect(from, (seen) =>
        Effect.map(after(seen), (found) => [Chunk.unsafeFromArray(found), Option.some(found.at(-1)?.position ?? seen)])
      )
  }
}
