import { Effect, Layer, Option } from "effect"
import { Faults } from "../../src/layers/embedded/engine/Faults.ts"

/** Ways in which an embedded Coder misbehaves, by the names of workspaces. */
export interface EmbeddedFaults {
  /** Builds of these workspace names and transitions fail with this error. */
  readonly failBuilds?: ReadonlyArray<{
    readonly workspace: string
    readonly transition: "start" | "stop" | "delete"
    readonly error: string
  }>
  /** Builds of these workspace names and transitions do nothing until this has ended. */
  readonly holdBuilds?: ReadonlyArray<{
    readonly workspace: string
    readonly transition: "start" | "stop" | "delete"
    readonly until: Effect.Effect<void>
  }>
  /** Builds of these workspace names never end. */
  readonly hangBuilds?: ReadonlyArray<string>
  /** What becomes of the Coder agent of these workspace names. */
  readonly agents?: ReadonlyArray<{
    readonly workspace: string
    readonly fault: "never_connects" | "disconnected" | "start_error"
  }>
  /** What becomes of the AgentAPI app of these workspace names. */
  readonly apps?: ReadonlyArray<{ readonly workspace: string; readonly fault: "missing" | "unhealthy" }>
  /** Reports are listed oldest first, as Coder v2.27 did. */
  readonly statusesOldestFirst?: boolean
}

const faultOf = <A extends { readonly workspace: string; readonly fault: string }>(
  list: ReadonlyArray<A> = [],
  name: string
): A["fault"] | undefined => list.find(({ workspace }) => workspace === name)?.fault

/** Makes the embedded Coders above it misbehave so. */
export const embeddedFaults = (faults: EmbeddedFaults): Layer.Layer<Faults> =>
  Layer.succeed(Faults, {
    beforeBuild: ({ build, workspace: { name } }) => {
      const isMeant = (each: { readonly workspace: string; readonly transition: string }) =>
        each.workspace === name && each.transition === build.transition
      const held = faults.holdBuilds?.find(isMeant)?.until ?? Effect.void
      return faults.hangBuilds?.includes(name) === true
        ? Effect.never
        : Effect.map(held, () =>
            Option.map(Option.fromNullable(faults.failBuilds?.find(isMeant)), ({ error }) => error)
          )
    },
    app: ({ name }, app) => (faultOf(faults.apps, name) === "missing" ? null : app),
    beforeConnect: ({ name }) => (faultOf(faults.agents, name) === "never_connects" ? Effect.never : Effect.void),
    up: ({ name }, shown) => ({
      ...shown,
      ...(faultOf(faults.agents, name) === "start_error" ? { lifecycle_state: "start_error" } : {}),
      ...(faultOf(faults.agents, name) === "disconnected" ? { status: "disconnected" } : {}),
      ...(faultOf(faults.apps, name) === "unhealthy" ? { health: "unhealthy" } : {})
    }),
    listed: (newestFirst) => (faults.statusesOldestFirst === true ? newestFirst.toReversed() : newestFirst)
  })
