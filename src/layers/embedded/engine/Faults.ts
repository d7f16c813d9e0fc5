import { Context, Effect, type Option } from "effect"
import type { AppStatus } from "../../../schemas/coder/Builds.ts"
import type { AgentChange, AppRow, BuildState, WorkspaceRow } from "../store/Rows.ts"

/** Points at which a test can make the embedded Coder misbehave as a real one does. */
export interface FaultHooks {
  /** Comes before a build does anything. A text is the error that it fails with; one that never ends hangs it. */
  readonly beforeBuild: (state: BuildState) => Effect.Effect<Option.Option<string>>
  /** The app that the agent of a workspace gets. */
  readonly app: (workspace: WorkspaceRow, app: NewApp) => NewApp | null
  /** Comes before an agent connects. */
  readonly beforeConnect: (workspace: WorkspaceRow) => Effect.Effect<void>
  /** What an agent shows once it is up. */
  readonly up: (workspace: WorkspaceRow, shown: AgentChange) => AgentChange
  /** The reports of an app, in the order in which they are listed. */
  readonly listed: (newestFirst: ReadonlyArray<AppStatus>) => ReadonlyArray<AppStatus>
}

type NewApp = Pick<AppRow, "slug" | "display_name">

/** By default nothing misbehaves. */
export class Faults extends Context.Reference<Faults>()("fleet-mcp/layers/embedded/engine/Faults", {
  defaultValue: (): FaultHooks => ({
    beforeBuild: () => Effect.succeedNone,
    app: (_, app) => app,
    beforeConnect: () => Effect.void,
    up: (_, shown) => shown,
    listed: (newestFirst) => newestFirst
  })
}) {}
