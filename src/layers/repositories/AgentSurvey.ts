import { Context, Duration, Effect, Option } from "effect"
import type { CoderError } from "../../schemas/coder/CoderError.ts"
import type { Workspace } from "../../schemas/coder/Workspaces.ts"
import { CoderClient } from "../clients/CoderClient.ts"
import { monotonicMillis } from "../time/Monotonic.ts"
import type { makeAgentLook, LookRequest } from "./AgentLook.ts"
import { freshReport, reportedStatus, type AgentState } from "./AgentState.ts"

/** How much a survey may ask of agents. Their answers come by Coder, so they count as requests to it. */
export class SurveyLimits extends Context.Reference<SurveyLimits>()(
  "fleet-mcp/layers/repositories/AgentSurvey/SurveyLimits",
  {
    defaultValue: () => ({
      /** Agents asked in one survey, all at once, and how long one may take to answer. */
      asked: 16,
      each: Duration.millis(1500),
      /** Between two agents asked although they report themselves at work: a report may be the last one for good. */
      spotCheck: Duration.seconds(30),
      /** Between two questions whether a workspace that the list does not show as an agent any more is deleted. */
      missingCheck: Duration.seconds(30)
    })
  }
) {}

/** An agent as a survey found it. */
export interface Sighting {
  /** Its workspace's, which a name that is given away again does not share. */
  readonly id: string
  readonly name: string
  /**
   * None where it could not be told this time: it was to be asked, and did not answer, has to wait for its turn, or is
   * none of those that are asked; or the list did not show it, and it is not deleted.
   */
  readonly state: Option.Option<AgentState>
  readonly build: number
  /** The time of its newest report since its start; `""` for none. */
  readonly report: string
  /** The newest message of its conversation; null where that was not read. */
  readonly message: number | null
}

export interface Survey {
  readonly sightings: ReadonlyArray<Sighting>
  /** Those that were there before and are deleted. */
  readonly gone: ReadonlyArray<{ readonly id: string; readonly name: string }>
  /** Pages of the list that were read. */
  readonly pages: number
}

/** What is remembered of an agent. Times are of the monotonic clock (milliseconds). */
interface Known {
  readonly name: string
  readonly build: number
  /** The time of its newest report since its start; `""` for none. */
  readonly report: string
  /** The report that the agent's own answer agreed with, and the one that it, or a task sent since, contradicted. */
  readonly confirmed: string | null
  readonly overruled: string | null
  readonly askedAt: number
  /** When it was asked last whether it is deleted, since the list does not show it. */
  readonly missedAt: number
}

/** Names in lower case; all where there are none. */
export type Wanted = ReadonlySet<string> | undefined

const isWanted = (wanted: Wanted, name: string): boolean => wanted === undefined || wanted.has(name.toLowerCase())

const isGone = ({ reason, status }: CoderError): boolean => reason === "status" && (status === 404 || status === 410)

/**
 * Looks at all agents at little cost, again and again: by what their workspaces tell, and their own answer only where no
 * report tells, where a report says for the first time that the agent is not at work, and where the answer before
 * contradicted the report.
 */
export const makeAgentSurvey = (looks: Effect.Effect.Success<typeof makeAgentLook>) =>
  Effect.gen(function* () {
    const coder = yield* CoderClient
    const limits = yield* SurveyLimits
    let known: ReadonlyMap<string, Known> = new Map()
    /** Who was doubted since the newest survey began. */
    let doubted: ReadonlyArray<Wanted> = []
    let checkedAt = -Infinity

    const isDeleted = (id: string): Effect.Effect<boolean> =>
      coder.workspaces.get({ path: { workspace: id }, urlParams: { include_deleted: true } }).pipe(
        Effect.map(({ latest_build }: Workspace) => latest_build.status === "deleted"),
        Effect.catchAll((error) => Effect.succeed(isGone(error)))
      )

    const reportOf = ({ workspace }: LookRequest) => Option.getOrUndefined(freshReport(workspace))

    const before = ({ workspace }: LookRequest): Known | undefined => {
      const found = known.get(workspace.id)
      return found?.build === workspace.latest_build.build_number ? found : undefined
    }

    /** Whether no report tells what the agent does. */
    const isUntold = (request: LookRequest): boolean => {
      const report = reportOf(request)
      if (report === undefined) return true
      const said = reportedStatus(report)
      const { confirmed, overruled } = before(request) ?? { confirmed: null, overruled: null }
      return (
        said === "unknown" || overruled === report.created_at || (said !== "busy" && confirmed !== report.created_at)
      )
    }

    const askedAt = (request: LookRequest): number => before(request)?.askedAt ?? -Infinity

    /** Those of the wanted that are asked this time: who was not asked for longest comes first. */
    const choose = (requests: ReadonlyArray<LookRequest>, wanted: Wanted, now: number): ReadonlySet<string> => {
      const askable = requests
        .filter((request) => isWanted(wanted, request.workspace.name) && looks.isAskable(request))
        .toSorted((a, b) => (askedAt(a) < askedAt(b) ? -1 : askedAt(a) > askedAt(b) ? 1 : 0))
      const untold = askable.filter(isUntold).slice(0, limits.asked)
      const due = now - checkedAt >= Duration.toMillis(limits.spotCheck)
      const atWork = due ? askable.find((each) => !isUntold(each)) : undefined
      if (atWork !== undefined) checkedAt = now
      return new Set([...untold, ...(atWork === undefined ? [] : [atWork])].map(({ workspace }) => workspace.id))
    }

    const sight = (request: LookRequest, asked: ReadonlySet<string>, now: number) =>
      Effect.gen(function* () {
        const { workspace } = request
        const isAsked = asked.has(workspace.id)
        const report = reportOf(request)
        const mustAnswer = looks.isAskable(request) && isUntold(request)
        const look = yield* isAsked ? looks.glance(request, limits.each) : looks.reported(request, "it was not asked")
        const live = Option.getOrUndefined(look.live)
        const was = before(request)
        const said = report === undefined ? "unknown" : reportedStatus(report)
        const mark = report?.created_at ?? ""
        const isContradicted = was?.overruled === mark
        // An agent that has said that it is done, and is gone since, is told by what it said.
        const isTold = live !== undefined || !mustAnswer || (isAsked && said !== "unknown" && !isContradicted)
        const entry: Known = {
          name: workspace.name,
          build: workspace.latest_build.build_number,
          report: mark,
          confirmed: live === undefined ? (was?.confirmed ?? null) : live.status === said ? mark : null,
          overruled: live === undefined ? (was?.overruled ?? null) : live.status === said ? null : mark,
          askedAt: isAsked ? now : askedAt(request),
          missedAt: -Infinity
        }
        const sighting: Sighting = {
          id: workspace.id,
          name: workspace.name,
          state: isTold ? Option.some(look.state) : Option.none(),
          build: entry.build,
          report: mark,
          message: live?.lastMessage ?? null
        }
        return { entry, sighting }
      })

    /** Asks of some that the list does not show whether they are deleted: first of whom that was not asked for longest. */
    const lookForMissing = (here: ReadonlyMap<string, Known>, now: number) =>
      Effect.gen(function* () {
        const missing = [...known].filter(([id]) => !here.has(id))
        const due = missing
          .filter(([, { missedAt }]) => now - missedAt >= Duration.toMillis(limits.missingCheck))
          .toSorted(([, a], [, b]) => (a.missedAt < b.missedAt ? -1 : a.missedAt > b.missedAt ? 1 : 0))
          .slice(0, limits.asked)
        const deleted = yield* Effect.filter(due, ([id]) => isDeleted(id), { concurrency: limits.asked })
        const gone = new Map(deleted)
        return { gone, asked: new Set(due.map(([id]) => id)), left: missing.filter(([id]) => !gone.has(id)) }
      })

    const survey = Effect.fn("AgentSurvey.survey")(function* (requests: ReadonlyArray<LookRequest>, wanted: Wanted) {
      const now = yield* monotonicMillis
      const atFirst = known
      doubted = []
      const chosen = choose(requests, wanted, now)
      const seen = yield* Effect.forEach(requests, (request) => sight(request, chosen, now), {
        concurrency: limits.asked + 1
      })
      const here = new Map(seen.map(({ entry, sighting }) => [sighting.id, entry]))
      const names = new Set(seen.map(({ sighting }) => sighting.name.toLowerCase()))
      // Pages shift while workspaces change: one that a list does not show may be there all the same.
      const { asked, gone, left } = yield* lookForMissing(here, now)
      // What was doubted, or overruled, meanwhile is not known by what was seen before.
      const isDoubted = ({ name }: Known) => doubted.some((some) => isWanted(some, name))
      const merged = [...here]
        .filter(([id]) => known.get(id) === atFirst.get(id))
        .map(([id, one]) => [id, isDoubted(one) ? { ...one, confirmed: null } : one] as const)
      known = new Map(
        [...known, ...merged]
          .filter(([id]) => !gone.has(id))
          .map(([id, one]) => [id, asked.has(id) ? { ...one, missedAt: now } : one])
      )
      const unseen = left
        .filter(([, { name }]) => !names.has(name.toLowerCase()))
        .map(([id, { build, name, report }]): Sighting => ({
          id,
          name,
          state: Option.none(),
          build,
          report,
          message: null
        }))
      return {
        sightings: [...seen.map(({ sighting }) => sighting), ...unseen],
        gone: [...gone].map(([id, { name }]) => ({ id, name }))
      }
    })

    /** What these agents said of themselves is asked again. */
    const doubt = (wanted: Wanted): Effect.Effect<void> =>
      Effect.sync(() => {
        doubted = [...doubted, wanted]
        known = new Map(
          [...known].map(([id, one]) => [id, isWanted(wanted, one.name) ? { ...one, confirmed: null } : one])
        )
      })

    /** A task was sent to an agent: what it reported before says nothing of what it does now. */
    const outdate = (workspace: Workspace): Effect.Effect<void> =>
      Effect.sync(() => {
        const { id, latest_build, name } = workspace
        const found = known.get(id)
        const was = found?.build === latest_build.build_number ? found : undefined
        const marks = [was?.report ?? "", Option.match(freshReport(workspace), { onNone: () => "", onSome: createdAt })]
        const [report = ""] = marks.filter((mark) => mark !== "").toSorted((a, b) => Date.parse(b) - Date.parse(a))
        const entry: Known = {
          name,
          build: latest_build.build_number,
          report,
          confirmed: null,
          overruled: report === "" ? null : report,
          askedAt: -Infinity,
          missedAt: -Infinity
        }
        known = new Map([...known, [id, entry]])
      })

    return { survey, doubt, outdate }
  })

const createdAt = ({ created_at }: { readonly created_at: string }): string => created_at
