import { Context, DateTime, Duration, Option } from "effect"
import type { AgentStatus } from "../../schemas/Agent.ts"
import type { AgentApiStatus, Message } from "../../schemas/agentapi/AgentApi.ts"
import type { QueueStatus } from "../../schemas/agentapi/FleetExtension.ts"
import type { WorkspaceSummary } from "../../schemas/coder/Workspaces.ts"
import { shownName } from "../../schemas/Text.ts"
import { holdText } from "./AgentQueue.ts"
import { AgentScreen, readScreen } from "./AgentScreen.ts"
import { freshReport, observed, quotedReport, reportedStatus, timeOf, type AgentState } from "./AgentState.ts"

// What a live answer of an agent's own API says about it: pure functions.

/** How long a first task may be on its way. */
export class FirstTaskLimits extends Context.Reference<FirstTaskLimits>()(
  "fleet-mcp/layers/repositories/LiveState/FirstTaskLimits",
  {
    defaultValue: () => ({
      /** From the agent's first screen: AgentAPI types the first prompt as soon as its agent waits for input. */
      wait: Duration.minutes(2)
    })
  }
) {}

/** What an agent's AgentAPI answered, and when. */
export interface LiveAnswer {
  readonly status: AgentApiStatus
  readonly messages: ReadonlyArray<Message>
  readonly at: DateTime.Utc
}

export type Dialogue = Extract<AgentScreen, { readonly _tag: "Dialogue" }>

/** What tells one conversation of an agent from the next. */
export interface ConversationSoFar {
  readonly messages: number
  /** The time of its first message, as AgentAPI gives it. */
  readonly began: string
  readonly prompted: boolean
  /** Its first prompt came after the start build was made: who has sent none since knows that the template did. */
  readonly promptedSinceBuild: boolean
}

/** A status by a live answer, and what can be done about the agent just now. */
export interface LiveState extends AgentState {
  /** A message that is sent now is taken as a task. */
  readonly takesTask: boolean
  /** What waits for a person, or perhaps does; a message would answer it. */
  readonly dialogue: Dialogue | null
  /** The id of the conversation's last message; undefined where it was not read. */
  readonly lastMessage: number | undefined
  /** The conversation so far; null where it was not read. */
  readonly conversation: ConversationSoFar | null
  /** The tasks that wait for their turn; null where none does. */
  readonly queue: QueueStatus | null
  /** How AgentAPI speaks to the agent: `pty`, a terminal that takes keys, or `acp`. */
  readonly transport: string
}

/** What is known beside the answer. */
export interface Circumstances {
  readonly workspace: WorkspaceSummary
  /** A startup script that failed or is late; `""` for none. */
  readonly warning: string
  /** The build carries a first task that is due, and the conversation has none. */
  readonly firstTask: boolean
  /** One Escape did not move this dialogue, which was uncertain: it is taken for what is left of an older one. */
  readonly isLeftOver: (dialogue: Dialogue) => boolean
}

interface ScreenState {
  readonly status: AgentStatus
  readonly detail: string
  readonly takesTask: boolean
  readonly dialogue?: Dialogue
}

const idle = (detail: string): ScreenState => ({ status: "idle", detail, takesTask: true })

const dialogueSeen = (dialogue: Dialogue, isLeftOver: boolean): ScreenState => {
  if (isLeftOver) return idle("its screen still shows a dialogue that an Escape did not move: an old one")
  const asks = dialogue.certain ? "its screen asks" : "its screen perhaps asks"
  const detail = `${asks} (${dialogue.kind}): ${dialogue.text}`
  return { status: "waiting", detail, takesTask: false, dialogue }
}

/** What is not recognised is treated as a dialogue that is not certain, so that nothing is locked for good by caution. */
const unrecognised = (
  { escape, text }: Extract<AgentScreen, { readonly _tag: "Unrecognised" }>,
  isLeftOver: Circumstances["isLeftOver"]
): ScreenState => {
  const dialogue = AgentScreen.Dialogue({ kind: "other", escape, certain: false, text })
  return isLeftOver(dialogue)
    ? idle("its screen is not recognised, and an Escape did not move it")
    : { status: "unknown", detail: `its screen is not recognised: ${text}`, takesTask: false, dialogue }
}

const screenSeen = (screen: AgentScreen, isLeftOver: Circumstances["isLeftOver"]): ScreenState => {
  switch (screen._tag) {
    case "Blank":
      return { status: "starting", detail: "its screen is still blank", takesTask: false }
    case "Dialogue":
      return dialogueSeen(screen, isLeftOver(screen))
    case "Login":
      return screen.certain
        ? { status: "waiting", detail: `it is not logged in: ${screen.text}`, takesTask: false }
        : idle(`it is perhaps not logged in: ${screen.text}`)
    case "Busy":
      return { status: "busy", detail: screen.text, takesTask: false }
    case "FailedTurn":
      return idle(`its last turn failed: ${screen.text}`)
    case "Input":
      return idle("")
    case "Unrecognised":
      return unrecognised(screen, isLeftOver)
  }
}

const lastPrompt = (messages: ReadonlyArray<Message>): Message | undefined =>
  messages.findLast(({ role }) => role === "user")

const soFar = ({ messages }: LiveAnswer, { latest_build }: WorkspaceSummary): ConversationSoFar | null => {
  const [first] = messages
  if (first === undefined) return null
  const prompt = messages.find(({ role }) => role === "user")
  const [prompted, built] = [timeOf(prompt?.time ?? ""), timeOf(latest_build.created_at)]
  return {
    messages: messages.length,
    began: first.time,
    prompted: prompt !== undefined,
    promptedSinceBuild: prompted !== null && built !== null && DateTime.greaterThan(prompted, built)
  }
}

/** How long the agent has been there: since AgentAPI's first message, or else since its build ended. */
export const ageOf = ({ at, messages }: LiveAnswer, { latest_build }: WorkspaceSummary): Duration.Duration => {
  const since = timeOf(messages[0]?.time ?? "") ?? timeOf(latest_build.job.completed_at ?? latest_build.updated_at)
  return since === null ? Duration.infinity : DateTime.distanceDuration(since, at)
}

/** While the first task of the build is due, whoever sends another comes before it. */
const withFirstTask = (seen: ScreenState, { firstTask }: Circumstances): ScreenState =>
  (seen.takesTask || seen.status === "unknown") && firstTask
    ? { status: "starting", detail: joined(seen.detail, "its first task was not taken yet"), takesTask: false }
    : seen

/** A report that tells something else is told; one that needs a person stands until somebody has spoken since. */
const withReport = (seen: ScreenState, { messages }: LiveAnswer, workspace: WorkspaceSummary): ScreenState => {
  const report = Option.getOrUndefined(freshReport(workspace))
  if (report === undefined) return seen
  const said = reportedStatus(report)
  if (said === seen.status) return seen
  const at = timeOf(report.created_at)
  const detail = joined(
    seen.detail,
    `its newest report${at === null ? "" : `, of ${isoSeconds(at)},`} says ${quotedReport(report)}`
  )
  const prompted = timeOf(lastPrompt(messages)?.time ?? "")
  const answered = prompted !== null && (at === null || DateTime.greaterThan(prompted, at))
  return said === "waiting" && seen.status === "idle" && !answered
    ? { ...seen, status: "waiting", detail }
    : { ...seen, detail }
}

const isoSeconds = (time: DateTime.Utc): string => DateTime.formatIso(time).replace(/\.\d+Z$/, "Z")

const joined = (...parts: ReadonlyArray<string>): string => parts.filter((part) => part !== "").join("; ")

const queueText = (queue: QueueStatus | null): string => {
  if (queue === null || queue.waiting === 0) return ""
  const tasks = `${queue.waiting} queued ${queue.waiting === 1 ? "task" : "tasks"}`
  const wait = queue.waiting === 1 ? "waits" : "wait"
  const are = queue.waiting === 1 ? "is" : "are"
  return queue.held === null ? `${tasks} ${wait}` : `${tasks} ${are} held: ${holdText(queue.held)}`
}

/**
 * The status by a live answer. It beats any report: a difference is told in the evidence. Idle is said only where the
 * screen is known to wait for input and the first task of the build, if there is one, has been taken or is overdue.
 */
export const liveState = (answer: LiveAnswer, circumstances: Circumstances): LiveState => {
  const { warning, workspace } = circumstances
  const screen = screenSeen(readScreen(answer.status, answer.messages), circumstances.isLeftOver)
  const seen = withReport(withFirstTask(screen, circumstances), answer, workspace)
  const queue = answer.status.queue ?? null
  const detail = joined(`AgentAPI says ${answer.status.status}`, seen.detail, queueText(queue)) + warning
  return {
    ...observed(seen.status, "agentapi", detail, answer.at),
    takesTask: seen.takesTask,
    dialogue: seen.dialogue ?? null,
    lastMessage: answer.messages.at(-1)?.id,
    conversation: soFar(answer, workspace),
    queue: queue !== null && queue.waiting > 0 ? queue : null,
    transport: shownName(answer.status.transport ?? "pty")
  }
}
