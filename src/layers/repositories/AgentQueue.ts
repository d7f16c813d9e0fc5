import { Option, Schema } from "effect"
import { queueMetadataKey, TaskQueue } from "../../schemas/agentapi/FleetExtension.ts"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import type { Queue } from "../../schemas/Queue.ts"
import { withoutControls } from "../../schemas/Text.ts"
import { timeOf } from "./AgentState.ts"

const decode = Schema.decodeUnknownOption(Schema.parseJson(TaskQueue))

/** Why tasks are held, as the end of a sentence. */
export const holdText = (reason: string): string =>
  reason === "failed" ? "the task before them failed" : "the task before them was interrupted"

/** The queue of an agent in the fleet's terms; none where nothing waits. */
export const toQueue = ({ held, tasks }: TaskQueue): Option.Option<Queue> =>
  tasks.length === 0
    ? Option.none()
    : Option.some({
        held: held === null ? null : holdText(held.reason),
        tasks: tasks.map(({ bytes, id, queued_at, task }) => ({
          task_id: id,
          task: withoutControls(task),
          bytes,
          queued_at: timeOf(queued_at)
        }))
      })

/** The queue that a workspace tells of, also where its agent cannot be asked. */
export const queueOf = ({ latest_build }: WorkspaceSummary): Option.Option<Queue> =>
  Option.fromNullable(
    latest_build.resources.flatMap(({ metadata = [] }) => metadata).find(({ key }) => key === queueMetadataKey)
  ).pipe(
    Option.flatMap(({ value }) => decode(value)),
    Option.flatMap(toQueue)
  )

/** What AgentAPI of others answers where our extension would be: nothing is there, or not what the contract says. */
export const isUnknownThere = ({ reason, status }: CoderError): boolean =>
  status === 404 || status === 405 || (status === 200 && (reason === "not_json" || reason === "unexpected"))
