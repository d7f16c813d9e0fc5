import { Deferred, Effect, FiberId } from "effect"

/** Time as a number of requests: what happens next waits for so many of them, or for the end. */
export interface Gates {
  /** Waits for so many further requests; not at all once the gates are open. */
  readonly after: (requests: number) => Effect.Effect<void>
  readonly request: Effect.Effect<void>
  /** From here on nothing waits. */
  readonly open: Effect.Effect<void>
}

export const makeGates = (): Gates => {
  const waiting = new Set<{ readonly at: number; readonly gate: Deferred.Deferred<void> }>()
  let requests = 0
  let isOpen = false
  const release = Effect.sync(() => {
    for (const one of waiting) {
      if (!isOpen && one.at > requests) continue
      waiting.delete(one)
      Deferred.unsafeDone(one.gate, Effect.void)
    }
  })
  return {
    after: (more) =>
      Effect.suspend(() => {
        if (isOpen || more === 0) return Effect.void
        const gate = Deferred.unsafeMake<void>(FiberId.none)
        waiting.add({ at: requests + more, gate })
        return Deferred.await(gate)
      }),
    request: Effect.suspend(() => {
      requests += 1
      return release
    }),
    open: Effect.suspend(() => {
      isOpen = true
      return release
    })
  }
}
