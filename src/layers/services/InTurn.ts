import { Effect } from "effect"

/** Lets effects of one name run one after the other; those of other names do not wait for them. */
export const makeTurns = Effect.sync(() => {
  const turns = new Map<string, { readonly permit: Effect.Semaphore; users: number }>()
  return (name: string) =>
    <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          const turn = turns.get(name) ?? { permit: Effect.unsafeMakeSemaphore(1), users: 0 }
          turn.users += 1
          turns.set(name, turn)
          return turn
        }),
        ({ permit }) => permit.withPermits(1)(effect),
        (turn) =>
          Effect.sync(() => {
            turn.users -= 1
            if (turn.users === 0) turns.delete(name)
          })
      )
})
