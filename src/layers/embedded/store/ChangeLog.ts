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
  /** Adds a commit, unless nothing changed. */
  readonly append: (changes: ReadonlyArray<Change>) => void
  /** The commits after a position: those kept, then those to come. */
  readonly after: (position: number) => Stream.Stream<Commit, ChangesLost>
}

/**
 * Keeps so many changes. There is no queue for a subscriber: each takes what is kept when it is ready for more, so one
 * that is slow costs nothing, and learns when it fell behind.
 */
export const makeChangeLog = (capacity: number): ChangeLog => {
  const commits: Array<Commit> = []
  let kept = 0
  let position = 0
  // What those wait for who have seen everything.
  let next: Deferred.Deferred<void> | undefined

  const after = (seen: number): Effect.Effect<ReadonlyArray<Commit>, ChangesLost> =>
    Effect.suspend(() => {
      const oldest = position - commits.length
      if (seen < oldest || seen > position) return new ChangesLost({ position: seen, oldest })
      if (seen < position) return Effect.succeed(commits.slice(seen - oldest))
      next ??= Deferred.unsafeMake(FiberId.none)
      return Effect.zipRight(Deferred.await(next), after(seen))
    })

  return {
    position: () => position,
    append: (changes) => {
      if (changes.length === 0) return
      commits.push({ position: ++position, changes })
      kept += changes.length
      while (kept > capacity) kept -= commits.shift()?.changes.length ?? 0
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
