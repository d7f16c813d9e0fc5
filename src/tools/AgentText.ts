import { DateTime, Option } from "effect"
import type { Agent, AgentView } from "../schemas/Agent.ts"
import { cut, isCut, short } from "../schemas/Text.ts"
import * as Render from "./Render.ts"

type Shown = Omit<typeof AgentView.Encoded, "metadata">

/** Longest texts of an agent in an answer about it, and in a list (characters). */
const longest = { whole: 1000, listed: 48, evidence: 120 }

/** How texts are cut: what the agent said or was told, and what its status was derived from. */
interface Cuts {
  readonly said: (text: string) => string
  readonly evidence: (detail: string) => string
}

const withTexts = <A extends Shown>(agent: A, { evidence, said }: Cuts): A => ({
  ...agent,
  last_task: agent.last_task === null ? null : said(agent.last_task),
  evidence: { ...agent.evidence, detail: evidence(agent.evidence.detail) },
  last_status: agent.last_status === null ? null : { ...agent.last_status, message: said(agent.last_status.message) }
})

/** What waits for an agent: a line a task. */
const queue = ({ queue: waiting }: typeof Agent.Encoded, now: DateTime.Utc): ReadonlyArray<string> => {
  if (waiting === undefined) return []
  const { held, tasks } = waiting
  return [
    ...Render.field("queued tasks", `${tasks.length}${held === null ? "" : `, held: ${held}`}`),
    ...tasks.map((one) =>
      Render.indent(
        Render.first(
          [`[${one.task_id}] ${one.task}`, `${one.bytes} bytes`, Render.moment(one.queued_at, now)].join(", ")
        )
      )
    )
  ]
}

/** An agent whose texts are not too long for an answer about it, or for the room there is (characters a text). */
export const bounded = <A extends Shown>(agent: A, room = longest.whole): A => {
  const limit = Math.min(room, longest.whole)
  return withTexts(agent, {
    said: (text) => cut(text, limit, "show_agent_task_history"),
    evidence: (detail) => {
      const shown = cut(detail, Math.max(limit, longest.evidence))
      return isCut(shown) && agent.evidence.source === "agentapi" ? `${shown}; show_agent_log shows its screen` : shown
    }
  })
}

/** An agent whose texts are short enough for a list. */
export const listed = <A extends Shown>(agent: A): A =>
  withTexts(agent, {
    said: (text) => short(text, longest.listed),
    evidence: (detail) => short(detail, longest.evidence)
  })

const textsOf = ({ evidence, last_status, last_task }: Shown) =>
  [last_task, evidence.detail, last_status?.message].join("\n")

/** Whether a list shows less of an agent than there is. */
export const isShorter = (listedAgent: Shown, whole: Shown): boolean => textsOf(listedAgent) !== textsOf(whole)

/** Whether the status was derived from the last report, so that the one tells the other. */
const isReported = ({ evidence, last_status }: Shown): boolean =>
  last_status !== null && evidence.source === "app_status" && evidence.observed_at === last_status.created_at

const reported = ({ last_status }: Shown, now: DateTime.Utc) =>
  last_status === null ? "" : Render.moment(last_status.created_at, now)

const said = ({ last_status }: Shown) =>
  last_status === null ? "" : [last_status.state, last_status.message].filter(Boolean).join(": ")

/** The last task, where the last report is not the one that told it. */
const task = ({ last_status, last_task }: Shown): string | null =>
  last_status?.state === "working" && last_status.message === last_task ? null : last_task

/** What is known of one agent: first its status and why, then what it does. */
export const agent = (one: typeof Agent.Encoded, now: DateTime.Utc): ReadonlyArray<string> => [
  `${Render.first(one.name)}: ${one.status}`,
  ...(isReported(one)
    ? Render.field("evidence", `${one.evidence.source}, as last reported`)
    : Render.field(
        "evidence",
        `${one.evidence.source}, ${Render.moment(one.evidence.observed_at, now)}: ${one.evidence.detail}`
      )),
  ...Render.field("last report", [reported(one, now), said(one)].filter(Boolean).join(", ")),
  ...Render.field("last task", task(one)),
  ...queue(one, now),
  ...Render.field("project", one.project),
  ...Render.field("role", one.role),
  ...Render.field("created", Render.moment(one.created_at, now)),
  ...(one.updated_at === one.created_at ? [] : Render.field("last change", Render.moment(one.updated_at, now))),
  ...(one.metadata_count > 0 ? Render.field(`metadata (${one.metadata_count})`, JSON.stringify(one.metadata.data)) : [])
]

/** The value that all agents have in common, where there are several. */
const common = <A>(agents: ReadonlyArray<Shown>, of: (agent: Shown) => A): A | undefined => {
  const [one] = agents
  return one !== undefined && agents.length > 1 && agents.every((each) => of(each) === of(one)) ? of(one) : undefined
}

const instant = (time: string | null) => Option.getOrUndefined(DateTime.make(time ?? ""))?.epochMillis

/** What was observed so shortly before the newest observation of a list (milliseconds) is told with it. */
const together = 5000

/** A list of agents, a line each; what all of a status, or all of them, have in common is said once, above. */
export const agents = (all: ReadonlyArray<Shown>, now: DateTime.Utc): ReadonlyArray<string> => {
  const observed = all.flatMap((each) => (isReported(each) ? [] : (instant(each.evidence.observed_at) ?? [])))
  const newest = observed.length === 0 ? undefined : observed.reduce((a, b) => Math.max(a, b))
  const why = (each: Shown): string => {
    if (isReported(each)) return `${each.evidence.source}, as last reported`
    const at = instant(each.evidence.observed_at)
    const isNew = at !== undefined && newest !== undefined && newest - at < together
    const time = isNew ? "" : `, ${Render.moment(each.evidence.observed_at, now)}`
    return `${each.evidence.source}${time}: ${each.evidence.detail}`
  }
  const reasons = new Map(
    [...new Set(all.map(({ status }) => status))].flatMap((status) => {
      const shared = common(
        all.filter((each) => each.status === status),
        why
      )
      return shared === undefined ? [] : [[status, shared] as const]
    })
  )
  const project = common(all, (each) => each.project)
  const role = common(all, (each) => each.role)
  return [
    ...Render.field("project of all", project),
    ...Render.field("role of all", role),
    ...(newest === undefined ? [] : Render.field("observed", Render.moment(newest, now))),
    ...[...reasons].flatMap(([status, reason]) => Render.field(`all ${status}`, reason)),
    ...Render.table([
      { heading: "name", cells: all.map((each) => each.name) },
      { heading: "status", cells: all.map((each) => each.status) },
      { heading: "evidence", cells: all.map((each) => (reasons.has(each.status) ? "" : why(each))) },
      { heading: "project", cells: all.map((each) => (project === undefined ? each.project : "")) },
      { heading: "role", cells: all.map((each) => (role === undefined ? each.role : "")) },
      Render.moments(
        "created",
        all.map((each) => Render.moment(each.created_at, now))
      ),
      { heading: "metadata", cells: all.map((each) => each.metadata_count || "") },
      Render.moments(
        "reported",
        all.map((each) => reported(each, now))
      ),
      { heading: "report", cells: all.map(said) },
      { heading: "last task", cells: all.map(task) }
    ])
  ]
}
