import { setTimeout as pause } from "node:timers/promises"
import type { FleetSocket } from "../FleetSocket.ts"
import type { Program } from "../../support/Program.ts"
import type { Seeded } from "../Seeded.ts"
import type { Ledger } from "./Ledger.ts"

/** At most so many agents that nobody has asked to be deleted. */
const mostAgents = 6
/** And at most so many in all, with those that nobody knows whether they were created. */
const mostInAll = 9
/** Between two things that an actor does, and between two looks whether an agent is ready (ms), at most. */
const longestPause = 25

/** A task that first notes that it runs, and then does one of several things. */
const taskFor = (ledger: Ledger, seeded: Seeded) => {
  const task = ledger.nextTask()
  const rest = seeded.weighted([
    [`echo said ${task}`, 8],
    ["sleep 0.1; echo done", 2],
    ["i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo line $i; done", 1],
    ["sleep 1000", 1],
    [
      `(setsid sh -c 'trap "" TERM; while :; do sleep 0.3; done' >/dev/null 2>&1 &); nohup sleep 1000 >/dev/null 2>&1 & sleep 1000`,
      1
    ]
  ])
  return { task, script: `echo ${task} >> ${ledger.runs}\n${rest}` }
}

interface Actor {
  readonly ledger: Ledger
  readonly seeded: Seeded
  /** False as soon as the supervisor is killed. */
  readonly goesOn: () => boolean
}

interface WorkspaceBody {
  readonly id: string
  readonly name: string
  readonly latest_build: {
    readonly id: string
    readonly transition: string
    readonly job: { readonly status: string }
    readonly resources: ReadonlyArray<{
      readonly agents?: ReadonlyArray<{ readonly apps: ReadonlyArray<{ readonly health: string }> }>
    }>
  }
}

type Act = "create" | "task" | "cancel" | "stop" | "start" | "delete" | "look"
const acts: ReadonlyArray<readonly [Act, number]> = [
  ["create", 1.5],
  ["task", 8],
  ["cancel", 3],
  ["stop", 0.4],
  ["start", 2],
  ["delete", 0.3],
  ["look", 3]
]

/** Whether an agent takes tasks. */
const isReady = ({ latest_build }: WorkspaceBody): boolean =>
  latest_build.resources.some(({ agents = [] }) =>
    agents.some(({ apps }) => apps.some(({ health }) => health === "healthy"))
  )

/** Of which agents it is asked; what they have become since is no matter. */
const isFor: Readonly<Record<Act, (workspace: WorkspaceBody) => boolean>> = {
  create: () => true,
  task: isReady,
  cancel: isReady,
  stop: isReady,
  start: (workspace) => !isReady(workspace),
  delete: () => true,
  look: () => true
}

/** The agents that there are, as the list of the supervisor has them; what has come to an end is noted. */
const look = async (socket: FleetSocket, ledger: Ledger): Promise<ReadonlyArray<WorkspaceBody>> => {
  const { body } = await socket.send<{ readonly workspaces: ReadonlyArray<WorkspaceBody> }>("GET", "/api/v2/workspaces")
  for (const { latest_build, name } of body.workspaces) {
    if (latest_build.transition === "stop" && latest_build.job.status === "succeeded") {
      ledger.note({ what: "stopped", agent: name, build: latest_build.id })
    }
  }
  const names = new Set(body.workspaces.map(({ name }) => name))
  for (const agent of ledger.deleting) if (!names.has(agent)) ledger.note({ what: "deleted", agent })
  return body.workspaces
}

/** Does one thing after another over the socket, until no answer comes. */
export const workOverSocket = async (
  socket: FleetSocket,
  templateId: string,
  { goesOn, ledger, seeded }: Actor
): Promise<void> => {
  let known: ReadonlyArray<WorkspaceBody> = []
  const message = (agent: string, content: string, type: "user" | "raw") =>
    socket.send("POST", `/@local/${agent}/apps/ccw/message`, { content, type })

  const create = async () => {
    if (ledger.kept.size >= mostAgents) return
    const agent = ledger.nextAgent()
    const { script, task } = taskFor(ledger, seeded)
    const { status } = await socket.send("POST", "/api/v2/users/me/workspaces", {
      name: agent,
      template_id: templateId,
      rich_parameter_values: [{ name: "AI Prompt", value: script }]
    })
    if (status !== 201) return
    ledger.note({ what: "created", agent, task })
    if (seeded.chance(0.4)) return
    // Waits for it, as one does who has a second task.
    while (goesOn() && !known.some((one) => one.name === agent && isReady(one))) {
      await pause(longestPause)
      known = await look(socket, ledger)
    }
    if (goesOn()) await giveTask(agent)
  }

  const giveTask = async (agent: string) => {
    const { script, task } = taskFor(ledger, seeded)
    const { status } = await message(agent, script, "user")
    if (status === 200) ledger.note({ what: "task", agent, task })
  }

  const build = async (what: "stop" | "start" | "delete", workspace: WorkspaceBody) => {
    if (what === "delete") ledger.wantDeleted(workspace.name)
    const { body, status } = await socket.send<{ readonly id: string }>(
      "POST",
      `/api/v2/workspaces/${workspace.id}/builds`,
      { transition: what }
    )
    if (status === 201) ledger.note({ what, agent: workspace.name, build: body.id })
  }

  while (goesOn()) {
    const act = known.length > mostInAll && seeded.chance(0.2) ? "delete" : seeded.weighted(acts)
    const workspace = seeded.pick(known.filter((one) => isFor[act](one)))
    known = known.filter((one) => act !== "delete" || one !== workspace)
    if (act === "look" || (workspace === undefined && act !== "create")) known = await look(socket, ledger)
    else if (act === "create" || workspace === undefined) await create()
    else if (act === "cancel") await message(workspace.name, "\u001b", "raw")
    else if (act === "task") await giveTask(workspace.name)
    else await build(act, workspace)
    await pause(seeded.below(longestPause))
  }
}

/** What a tool says of a change. */
const outcomeOf = async (client: Program, name: string, args: object): Promise<string | undefined> => {
  const { result } = await client.request("tools/call", { name, arguments: args })
  if (result === undefined || result["isError"] === true) return undefined
  const content = result["structuredContent"] as { readonly outcome?: string } | undefined
  return content?.outcome
}

/** The same with the tools of a front end, until no answer comes. */
export const workWithTools = async (client: Program, { goesOn, ledger, seeded }: Actor): Promise<void> => {
  while (goesOn()) {
    const act = seeded.weighted(acts)
    const agent = seeded.pick([...ledger.kept])
    if (act === "look" || (act === "create" && ledger.kept.size >= mostAgents)) await client.call("list_agents")
    else if (act === "create" || agent === undefined) {
      const name = ledger.nextAgent()
      const { script, task } = taskFor(ledger, seeded)
      const outcome = await outcomeOf(client, "create_agent", { name, project: "shop", task: script })
      if (outcome === "applied") ledger.note({ what: "created", agent: name, task })
    } else if (act === "task") {
      const { script, task } = taskFor(ledger, seeded)
      const outcome = await outcomeOf(client, "start_agent_task", { agent_name: agent, task_description: script })
      if (outcome === "applied") ledger.note({ what: "task", agent, task })
    } else if (act === "cancel") await client.call("cancel_agent_task", { agent_name: agent })
    else if (act === "stop") {
      if ((await outcomeOf(client, "stop_agent", { agent_name: agent })) === "applied") {
        ledger.note({ what: "stop", agent, build: undefined })
      }
    } else if (act === "start") {
      if ((await outcomeOf(client, "restart_agent", { agent_name: agent })) === "applied") {
        ledger.note({ what: "start", agent, build: undefined })
      }
    } else {
      ledger.wantDeleted(agent)
      if ((await outcomeOf(client, "delete_agent", { agent_name: agent })) === "applied") {
        ledger.note({ what: "deleted", agent })
      }
    }
    await pause(seeded.below(longestPause))
  }
}
