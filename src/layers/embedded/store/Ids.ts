import { Context, Effect } from "effect"
import { createHash } from "node:crypto"

/** What an id is for. */
export type IdPurpose =
  "session token" | "workspace" | "build" | "job" | "agent" | "agent token" | "app" | "app status" | "request"

/** Makes ids: random UUIDs in lower case, unguessable, since tokens are among them. Tests provide their own. */
export class Ids extends Context.Reference<Ids>()("fleet-mcp/layers/embedded/store/Ids", {
  defaultValue: () => ({
    make: (_purpose: IdPurpose): Effect.Effect<string> => Effect.sync(() => crypto.randomUUID())
  })
}) {}

/**
 * The id of what exists outside of the store: the same in every process, and another for anything else. It is a UUID
 * of version 8 (RFC 9562) from a SHA-256 of what it stands for.
 */
export const derivedId = (
  what: "user" | "organization" | "template" | "template version" | "preset",
  ...of: ReadonlyArray<string>
): string => {
  const hex = createHash("sha256")
    .update(JSON.stringify([what, ...of]))
    .digest("hex")
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-"
  )
}
