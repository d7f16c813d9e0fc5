import type { Array } from "effect"
import type { FleetServices } from "../layers/services/FleetServices.ts"
import { cancelAgentTask } from "./CancelAgentTask.ts"
import { createAgent } from "./CreateAgent.ts"
import { deleteAgent } from "./DeleteAgent.ts"
import { listAgentProjects } from "./ListAgentProjects.ts"
import { listAgentRoles } from "./ListAgentRoles.ts"
import { listAgents } from "./ListAgents.ts"
import { restartAgent } from "./RestartAgent.ts"
import { showAgent } from "./ShowAgent.ts"
import { showAgentLog } from "./ShowAgentLog.ts"
import { showAgentTaskHistory } from "./ShowAgentTaskHistory.ts"
import { startAgentTask } from "./StartAgentTask.ts"
import { stopAgent } from "./StopAgent.ts"
import { waitForAgents } from "./WaitForAgents.ts"
import type { Tool } from "./Tool.ts"

/** The fleet's tools, in the order in which they are listed. */
export const fleetTools: Array.NonEmptyReadonlyArray<Tool<FleetServices>> = [
  listAgents,
  showAgent,
  listAgentProjects,
  listAgentRoles,
  createAgent,
  deleteAgent,
  restartAgent,
  stopAgent,
  startAgentTask,
  cancelAgentTask,
  waitForAgents,
  showAgentTaskHistory,
  showAgentLog
]
