import { Context, Effect } from "effect"

/** What an id is for. */
export type IdPurpose =
  | "user"
  | "organization"
  | "session token"
  | "template"
  | "template version"
  | "preset"
  | "workspace"
  | "build"
  | "job"
  | "agent"
  | "agent token"
  | "app"
  | "app status"
  | "request"

/** Makes ids: random UUIDs in lower case, unguessable, since tokens are among them. Tests provide their own. */
export class Ids extends Context.Reference<Ids>()("fleet-mcp/layers/embedded/store/Ids", {
  defaultValue: () => ({
    make: (_purpose: IdPurpose): Effect.Effect<string> => Effect.sync(() => crypto.randomUUID())
  })
}) {}
