import { BuildFailed } from "../../schemas/errors/Agent.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"
import { Limits } from "../config/Limits.ts"
import type { Build, BuildLog } from "../../schemas/coder/Builds.ts"

/** The error for a build that ended, but not well. */
export const buildFailed = (agent_name: string, build: Build, logs: ReadonlyArray<BuildLog>): BuildFailed =>
  new BuildFailed({
    agent_name,
    transition: build.transition,
    build_status: build.status,
    reason: cut(withoutControls(build.job.error ?? "Coder gives no reason"), Limits.quotedText),
    logs
  })
