import { Effect, Option } from "effect"
import { ConversationStore } from "../../../src/layers/agenthost/ConversationStore.ts"
import { WorkspaceStore } from "../../../src/layers/embedded/store/WorkspaceStore.ts"
import type { Seeded } from "../Seeded.ts"

/** So many of the newest texts of an agent are kept for certain: a conversation has a size. */
const kept = 30

/** Agents at once: of those that are deleted the pages of the file are used again. */
const mostAgents = 4

const fields = {
  reason: "initiator",
  template_version_id: "version",
  template_version_preset_id: null,
  parameters: []
} as const

interface Made {
  readonly id: string
  readonly build: string
  readonly agent: string
  readonly conversation: Effect.Effect.Success<ReturnType<ConversationStore["Type"]["open"]>>
  readonly said: Array<string>
}

/** What has been acknowledged by now, and was not asked to be removed, as texts that the store holds. */
export type Acknowledged = () => ReadonlyArray<string>

/** Changes of a store as a supervisor makes them, one after another; each step is several commits. */
export const makeWorkload = (seeded: Seeded) =>
  Effect.gen(function* () {
    const store = yield* WorkspaceStore
    const conversations = yield* ConversationStore
    const all: Array<Made> = []
    let count = 0

    const create = Effect.gen(function* () {
      const name = `agent-${++count}`
      const { build, workspace } = yield* store.insertWorkspace(
        { name, template_id: "template" },
        { ...fields, transition: "start" }
      )
      yield* store.updateJob(build.id, { status: "running" })
      const agent = yield* store.insertAgent(build.id, { slug: "ccw", display_name: "shell" })
      yield* store.updateJob(build.id, { status: "succeeded" })
      const conversation = yield* conversations.open(workspace.id)
      all.push({ id: workspace.id, build: build.id, agent: agent.id, conversation, said: [] })
    })

    const remove = (made: Made) =>
      Effect.gen(function* () {
        all.splice(all.indexOf(made), 1)
        const latest = Option.getOrThrow(yield* store.workspace(made.id)).build.build_number
        const { build } = yield* store.insertBuild(made.id, {
          ...fields,
          transition: "delete",
          build_number: latest + 1
        })
        yield* made.conversation.close
        yield* conversations.discard(made.id)
        yield* store.updateJob(build.id, { status: "succeeded" })
      })

    const turn = ({ agent, conversation, said }: Made) =>
      Effect.gen(function* () {
        const prompt = `task ${++count}: do it`
        yield* conversation.beginTurn(prompt)
        said.push(prompt)
        yield* store.addAppStatus(agent, { app_slug: "ccw", state: "working", message: prompt, uri: "" })
        const lines = 1 + seeded.below(8000)
        yield* conversation.extend(`line of ${count} ${seeded.below(2 ** 30)}\n`.repeat(lines))
        yield* conversation.endTurn("complete", `[exit code ${count}]`)
        said.push(`[exit code ${count}]`)
        yield* store.addAppStatus(agent, { app_slug: "ccw", state: "complete", message: `done ${count}`, uri: "" })
        said.push(`done ${count}`)
      })

    const log = ({ build }: Made) =>
      store.appendBuildLog(build, {
        log_source: "provisioner",
        log_level: "info",
        stage: "stage",
        output: `output ${++count}`
      })

    const step = Effect.gen(function* () {
      const made = seeded.pick(all)
      if (made === undefined || (all.length < mostAgents && seeded.chance(0.3))) yield* create
      else if (seeded.chance(0.1)) yield* remove(made)
      else if (seeded.chance(0.2)) yield* log(made)
      else yield* turn(made)
    })

    return {
      step,
      acknowledged: (): ReadonlyArray<string> =>
        all.flatMap(({ agent, build, id, said }) => [id, build, agent, ...said.slice(-kept)])
    }
  })
