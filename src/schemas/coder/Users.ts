import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

/** `GET /api/v2/buildinfo`: needs no token (recording: platform.json). */
export const BuildInfo = Schema.Struct({
  version: Schema.String,
  external_url: Schema.String,
  dashboard_url: Schema.String
})

/** A user; `username` is what app URLs want, they do not know `me` (recording: app-proxy.json, "user me"). */
export const User = Schema.Struct({ id: Schema.String, username: Schema.String })
export type User = typeof User.Type

/** `GET /api/v2/applications/host`: `""`, or a pattern with one `*` (recording: platform.json). */
export const ApplicationsHost = Schema.Struct({ host: Schema.String })

/** What anybody may know of the server: the only group that wants no token. */
export const Server = HttpApiGroup.make("server").add(
  HttpApiEndpoint.get("buildInfo", "/api/v2/buildinfo").addSuccess(BuildInfo)
)

/** Who is asking, and where their apps are. */
export const Users = HttpApiGroup.make("users")
  .add(HttpApiEndpoint.get("user")`/api/v2/users/${HttpApiSchema.param("user", Segment)}`.addSuccess(User))
  .add(HttpApiEndpoint.get("applicationsHost", "/api/v2/applications/host").addSuccess(ApplicationsHost))
  .middleware(UserSession)
