// The package entry "./schemas": the fleet's terms and errors, for who embeds it. Not the wire.
export { Agent, AgentName, AgentStatus, AgentView, Evidence, LastStatus, Stage } from "./Agent.ts"
export { LogEntry } from "./Conversation.ts"
export { Outcome } from "./Outcome.ts"
export type { Page, PageRequest } from "./Pagination.ts"
export { Project } from "./Project.ts"
export { Queue } from "./Queue.ts"
export { Role } from "./Role.ts"
export { Task, TaskDelivery } from "./Task.ts"
export {
  AgentNameTaken,
  AgentNotFound,
  AgentNotRunning,
  AgentUnreadable,
  BuildFailed,
  BuildInTheWay,
  InvalidAgentName,
  NotAnAgent,
  NotYourAgent,
  RestartIncomplete,
  UnknownFilterValue,
  type LookupFailure
} from "./errors/Agent.ts"
export {
  BackendNotConfigured,
  CoderForbidden,
  CoderRateLimited,
  CoderRejected,
  CoderUnauthorized,
  CoderUnavailable,
  DeadlineExceeded,
  type CoderFailure
} from "./errors/Coder.ts"
export { IdempotencyKeyReused, IdempotencyNotSupported } from "./errors/Idempotency.ts"
export { QueueFull, QueueNotSupported, StartIncomplete, TaskNotQueued } from "./errors/Queue.ts"
export type { FleetError } from "./errors/FleetError.ts"
export { NextStep } from "./errors/NextStep.ts"
export { ProjectAmbiguous, ProjectNotFound, RoleNotFound, RoleSetsPrompt } from "./errors/Project.ts"
export {
  AgentNotBusy,
  AgentNotIdle,
  AgentRefused,
  AgentUnreachable,
  InterruptNotSupported,
  InvalidTask,
  PageOutOfRange
} from "./errors/Task.ts"
