import { HttpApiBuilder } from "@effect/platform"
import { Effect } from "effect"
import { CoderApi } from "../../../../schemas/coder/CoderApi.ts"
import { Deployment, embeddedUrl } from "../../Deployment.ts"
import { isCaller } from "../Lookup.ts"

/** The server. */
export const serverHandlers = HttpApiBuilder.group(CoderApi, "server", (handlers) =>
  Effect.map(Deployment, ({ version }) =>
    handlers.handle("buildInfo", () =>
      Effect.succeed({ version, external_url: embeddedUrl, dashboard_url: embeddedUrl })
    )
  )
)

/** The only user. */
export const usersHandlers = HttpApiBuilder.group(CoderApi, "users", (handlers) =>
  Effect.map(Deployment, ({ user }) =>
    handlers
      .handle("user", ({ path }) => Effect.as(isCaller(path.user), user))
      .handle("applicationsHost", () => Effect.succeed({ host: "" }))
  )
)
