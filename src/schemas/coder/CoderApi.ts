import { HttpApi } from "@effect/platform"
import { Agents, Builds } from "./Builds.ts"
import { CoderError } from "./CoderError.ts"
import { Keys } from "./Keys.ts"
import { Templates } from "./Templates.ts"
import { Server, Users } from "./Users.ts"
import { Workspaces } from "./Workspaces.ts"

/**
 * The part of Coder's HTTP API that a fleet needs, declared once: the client is derived from it, and the embedded Coder
 * implements it, and `Keys` beside it. Each group says whose token it wants. Seen on Coder v2.31.3 and v2.27.1.
 */
export const CoderApi = HttpApi.make("coder")
  .add(Server)
  .add(Users)
  .add(Templates)
  .add(Workspaces)
  .add(Builds)
  .add(Agents)
  .add(Keys)
  .addError(CoderError)
