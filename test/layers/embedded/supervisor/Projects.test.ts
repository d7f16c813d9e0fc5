import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fleetClient } from "../../../../src/commands/supervisor/Ask.ts"
import type { RegisterClient } from "../../../../src/schemas/fleet/FleetApi.ts"
import { makeRepository } from "../../../support/EmbeddedFixture.ts"
import { supervisedIn } from "../../../support/SupervisedFixture.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"
import { build, built, create } from "../Requests.ts"

/** What a supervisor says of its projects, as its own API has it. */
const api = ({ as, client }: Effect.Effect.Success<ReturnType<typeof supervisedIn>>) => {
  const asked = Effect.map(fleetClient(client), ({ supervisor }) => supervisor)
  return {
    known: Effect.flatMap(asked, (supervisor) => supervisor.projects()).pipe(Effect.provide(as(client))),
    remove: (directory: string) =>
      Effect.flatMap(asked, (supervisor) => supervisor.removeProject({ payload: { directory } })).pipe(
        Effect.provide(as(client))
      )
  }
}

const nobody: Partial<RegisterClient> = { projects: [] }

const place = Effect.map(temporaryDirectory, (directory) => ({
  directory,
  repository: makeRepository(join(directory, "shop"))
}))

describe("the projects of a supervisor", () => {
  it.scopedLive("are those that clients have named, two of one name apart by their paths, and are kept", () =>
    Effect.gen(function* () {
      const { directory, repository } = yield* place
      const second = makeRepository(join(directory, "else where", "shop"))
      yield* Effect.gen(function* () {
        const life = yield* supervisedIn(directory, "shop")
        yield* life.joined({ projects: [{ name: "shop", directory: second }] })
        // Neither what is no repository, nor the root.
        yield* life.joined({ projects: [{ name: "state", directory: join(directory, "state") }] })
        yield* life.joined({ projects: [{ name: "/", directory: "/" }] })
      }).pipe(Effect.scoped)
      const life = yield* supervisedIn(directory, "shop", { client: nobody })
      const none = { problem: null, agents: [] }
      expect(yield* api(life).known).toEqual([
        { name: "shop", template_name: "shop-2", directory: second, ...none },
        { name: "shop", template_name: "shop", directory: repository, ...none }
      ])
    })
  )

  it.scopedLive("can be forgotten, also by the next supervisor, and named again", () =>
    Effect.gen(function* () {
      const { directory, repository } = yield* place
      yield* Effect.gen(function* () {
        const life = yield* supervisedIn(directory, "shop")
        expect(yield* api(life).remove(repository)).toEqual({ removed: ["shop"] })
        expect(yield* api(life).known).toEqual([])
        expect(yield* Effect.flip(api(life).remove(repository))).toMatchObject({
          description: `No project of ${repository} is known: fleet-mcp projects lists those that are.`
        })
      }).pipe(Effect.scoped)
      const life = yield* supervisedIn(directory, "shop", { client: nobody })
      expect(yield* api(life).known).toEqual([])
      yield* life.joined()
      expect(yield* api(life).known).toHaveLength(1)
    })
  )

  it.scopedLive("stay as long as they have agents, also stopped ones, and where the folder is gone", () =>
    Effect.gen(function* () {
      const { directory, repository } = yield* place
      const id = yield* Effect.gen(function* () {
        const life = yield* supervisedIn(directory, "shop")
        return yield* Effect.gen(function* () {
          const { body } = yield* create("writer")
          yield* built(body.id)
          yield* build(body.id, "stop")
          expect(yield* Effect.flip(api(life).remove(repository))).toMatchObject({
            description: `${repository} has the agent writer, and stays: delete it first.`
          })
          return body.id
        }).pipe(Effect.provide(life.as(life.client)))
      }).pipe(Effect.scoped)
      const moved = `${repository}.moved`
      renameSync(repository, moved)
      const life = yield* supervisedIn(directory, "shop", { client: nobody })
      expect(yield* api(life).known).toMatchObject([
        { directory: repository, agents: ["writer"], problem: expect.stringContaining("no such directory") as string }
      ])
      expect(yield* Effect.flip(api(life).remove(repository))).toMatchObject({
        description: expect.stringContaining("has the agent writer") as string
      })
      renameSync(moved, repository)
      yield* Effect.provide(build(id, "delete"), life.as(life.client))
      rmSync(repository, { recursive: true })
      expect(yield* api(life).remove(repository)).toEqual({ removed: ["shop"] })
    })
  )

  it.scopedLive(
    "are not taken away while an agent of theirs is made: each agent's is known to the next supervisor",
    () =>
      Effect.gen(function* () {
        const { directory, repository } = yield* place
        const names = Array.from({ length: 6 }, (_, index) => `agent-${index}`)
        yield* Effect.gen(function* () {
          const life = yield* supervisedIn(directory, "shop")
          yield* Effect.forEach(
            names,
            (name, index) =>
              index % 2 === 0
                ? Effect.ignore(api(life).remove(repository))
                : Effect.flatMap(create(name), ({ body }) => built(body.id)),
            { concurrency: names.length }
          ).pipe(Effect.provide(life.as(life.client)))
        }).pipe(Effect.scoped)
        const life = yield* supervisedIn(directory, "shop", { client: nobody })
        const [project] = yield* api(life).known
        expect(project?.agents.toSorted()).toEqual(["agent-1", "agent-3", "agent-5"])
      })
  )
})
