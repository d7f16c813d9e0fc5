import type { AgentService } from "./AgentService.ts"
import type { ProjectService } from "./ProjectService.ts"
import type { TaskService } from "./TaskService.ts"
import type { WaitService } from "./WaitService.ts"

/** What a fleet offers, and what its tools ask for. */
export type FleetServices = AgentService | ProjectService | TaskService | WaitService
