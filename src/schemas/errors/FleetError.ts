import type { BuildFailed, BuildInTheWay, InvalidAgentName, LookupFailure } from "./Agent.ts"
import type { AgentNameTaken, AgentNotRunning, RestartIncomplete, UnknownFilterValue } from "./Agent.ts"
import type { BackendNotConfigured, DeadlineExceeded } from "./Coder.ts"
import type { ProjectAmbiguous, ProjectNotFound, RoleNotFound, RoleSetsPrompt } from "./Project.ts"
import type { IdempotencyKeyReused, IdempotencyNotSupported } from "./Idempotency.ts"
import type { QueueFull, QueueNotSupported, StartIncomplete, TaskNotQueued } from "./Queue.ts"
import type { DialogueNotRefusable, AgentNotBusy, AgentNotIdle, AgentRefused, AgentUnreachable } from "./Task.ts"
import type { InterruptNotSupported, InvalidTask, MessageNotFound, PageOutOfRange } from "./Task.ts"

/** Every way in which a call of the fleet's services can end badly: each with data, `outcome`, `next` and `message`. */
export type FleetError =
  | LookupFailure
  | InvalidAgentName
  | AgentNameTaken
  | UnknownFilterValue
  | AgentNotRunning
  | BuildInTheWay
  | BuildFailed
  | RestartIncomplete
  | BackendNotConfigured
  | DeadlineExceeded
  | ProjectNotFound
  | ProjectAmbiguous
  | RoleNotFound
  | RoleSetsPrompt
  | InvalidTask
  | IdempotencyKeyReused
  | IdempotencyNotSupported
  | QueueNotSupported
  | QueueFull
  | TaskNotQueued
  | StartIncomplete
  | AgentNotIdle
  | AgentNotBusy
  | DialogueNotRefusable
  | InterruptNotSupported
  | AgentUnreachable
  | AgentRefused
  | MessageNotFound
  | PageOutOfRange
