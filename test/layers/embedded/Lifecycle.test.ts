import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { markersOf, ProcDirectory } from "../../../src/layers/agenthost/process/Strays.ts"
import { EmbeddedFixture, embedded } from "../../support/EmbeddedFixture.ts"
import { git, leftovers, temporaryDirectory } from "../agenthost/support.ts"
import {
  agentOf,
  appOf,
  build,
  built,
  byId,
  create,
  createReady,
  get,
  idle,
  logOf,
  messagesOf,
  ready,
  send,
  startBuild,
  theProject,
  until
} from "./Requests.ts"

const metadataOf = (workspace: Effect.Effect.Success<ReturnType<typeof byId>>): Record<string, string> =>
  Object.fromEntries(workspace.latest_build.resources[0]?.metadata?.map(({ key, value }) => [key, value]) ?? [])

const status = (state: string, message: string, name = "ccw") => ({ app_slug: name, state, message, uri: "" })

const report = (token: string | undefined, body: unknown) =>
  send("PATCH", "/api/v2/workspaceagents/me/app-status", { body, headers: { "coder-session-token": token ?? "" } })

it.live("creates a workspace: pending, running; its agent comes up and does the first task", () =>
  Effect.gen(function* () {
    const { repository, stateDirectory } = yield* EmbeddedFixture
    const { preset, template } = yield* theProject
    const { body, status } = yield* send<Effect.Effect.Success<ReturnType<typeof byId>>>(
      "POST",
      "/api/v2/users/me/workspaces",
      {
        body: {
          name: "Bot-1",
          template_id: template.id,
          template_version_preset_id: preset?.ID,
          rich_parameter_values: [
            { name: "no_such_parameter", value: "x" },
            { name: "AI Prompt", value: "cat README.md; git rev-parse --abbrev-ref HEAD" }
          ]
        }
      }
    )
    assert.strictEqual(status, 201)
    assert.deepInclude(body.latest_build, { status: "pending", build_number: 1, reason: "initiator" })
    assert.deepStrictEqual(body.latest_build.resources, [])
    assert.isNull(body.latest_app_status)

    const running = yield* ready(body.id)
    assert.strictEqual(running.latest_build.status, "running")
    assert.strictEqual(running.latest_build.template_version_preset_id, preset?.ID)
    assert.deepInclude(agentOf(running), { parent_id: null, status: "connected", lifecycle_state: "ready" })
    const metadata = metadataOf(running)
    assert.deepStrictEqual(metadata, {
      repository,
      directory: join(stateDirectory, "worktrees", body.id),
      branch: "fleet/Bot-1",
      base_commit: git(repository, "rev-parse", "HEAD")
    })

    const [, prompt, answer] = yield* idle("Bot-1")
    assert.strictEqual(prompt?.content, "cat README.md; git rev-parse --abbrev-ref HEAD")
    assert.strictEqual(answer?.content, "# Sample\nfleet/Bot-1\n[exit code 0]")
    const { latest_app_status } = yield* byId(body.id)
    assert.strictEqual(latest_app_status?.state, "complete")
    assert.deepStrictEqual(
      appOf(yield* byId(body.id))?.statuses.map(({ state }) => state),
      ["complete", "working"]
    )
    assert.deepStrictEqual(yield* get(`/api/v2/workspacebuilds/${running.latest_build.id}/parameters`), [
      { name: "AI Prompt", value: "cat README.md; git rev-parse --abbrev-ref HEAD" }
    ])
    const log = yield* get<ReadonlyArray<unknown>>(`/api/v2/workspaceagents/${agentOf(running)?.id}/logs`)
    assert.lengthOf(log, 1)
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("stops and starts: a new agent, the same worktree, the first task only once", () =>
  Effect.gen(function* () {
    const first = yield* createReady("worker", "echo once >> count.txt")
    yield* idle("worker")
    const stop = yield* build(first.id, "stop")
    assert.strictEqual(stop.status, "stopped")
    assert.isUndefined(stop.resources[0]?.agents)
    const stopped = yield* byId(first.id)
    assert.deepStrictEqual(metadataOf(stopped), metadataOf(first))
    assert.strictEqual(stopped.latest_app_status?.state, "complete")

    yield* build(first.id, "start")
    const second = yield* ready(first.id)
    assert.strictEqual(second.latest_build.build_number, 3)
    assert.notStrictEqual(agentOf(second)?.id, agentOf(first)?.id)
    assert.deepStrictEqual(appOf(second)?.statuses, [])
    assert.strictEqual(second.latest_app_status?.state, "complete")
    assert.isTrue((second.latest_app_status?.created_at ?? "") < second.latest_build.created_at)
    assert.strictEqual(readFileSync(join(metadataOf(second)["directory"] ?? "", "count.txt"), "utf8"), "once\n")
    assert.strictEqual((yield* messagesOf("worker")).filter(({ role }) => role === "user").length, 1)

    // A start of what runs already is a restart.
    yield* build(first.id, "start")
    const third = yield* ready(first.id)
    assert.notStrictEqual(agentOf(third)?.id, agentOf(second)?.id)
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("deletes an agent without work with its worktree and branch; one with work leaves them", () =>
  Effect.gen(function* () {
    const { repository } = yield* EmbeddedFixture
    const idler = yield* createReady("idler")
    const maker = yield* createReady("maker", "echo precious > work.txt")
    yield* idle("maker")

    const gone = yield* build(idler.id, "delete")
    assert.strictEqual(gone.status, "deleted")
    assert.deepStrictEqual(gone.resources, [])
    assert.isFalse(existsSync(metadataOf(idler)["directory"] ?? ""))
    assert.deepStrictEqual(yield* logOf(gone.id), [
      "Agent stopped, and all of its processes were ended",
      `Worktree ${metadataOf(idler)["directory"]} removed`
    ])

    const kept = yield* build(maker.id, "delete")
    assert.strictEqual(kept.status, "deleted")
    const { branch, directory = "" } = metadataOf(maker)
    assert.strictEqual(readFileSync(join(directory, "work.txt"), "utf8"), "precious\n")
    assert.match(
      (yield* logOf(kept.id)).at(-1) ?? "",
      new RegExp(`^Worktree kept: ${directory}, branch ${branch} \\(.*untracked`)
    )
    assert.strictEqual(git(repository, "branch", "--list", "--format=%(refname:short)", "fleet/*"), "fleet/maker")

    // The name is free; the branch is not.
    assert.strictEqual(metadataOf(yield* createReady("maker"))["branch"], "fleet/maker-2")
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("ends processes that ignore SIGTERM with a stop, a delete, and the server", () =>
  Effect.gen(function* () {
    const stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done"
    yield* Effect.gen(function* () {
      const both = yield* Effect.all([createReady("one", stubborn), createReady("two", stubborn)])
      for (const name of ["one", "two"]) {
        yield* until(messagesOf(name), (messages) => messages.at(-1)?.content.startsWith("up") === true)
      }
      assert.isNotEmpty(leftovers())
      yield* Effect.all([build(both[0].id, "stop"), build(both[1].id, "delete")], { concurrency: 2 })
      assert.deepStrictEqual(leftovers(), [])
      yield* createReady("three", stubborn)
      yield* until(messagesOf("three"), (messages) => messages.at(-1)?.content.startsWith("up") === true)
    }).pipe(Effect.provide(embedded({ allowShell: true })))
    assert.deepStrictEqual(leftovers(), [])
  })
)

it.live("a git error fails the job, with the reason in its log; the next start does the first task", () =>
  Effect.gen(function* () {
    const { repository, stateDirectory } = yield* EmbeddedFixture
    writeFileSync(stateDirectory, "not a directory")
    const [one, two] = yield* Effect.all([create("unlucky", "echo at last"), create("abandoned")])
    const failed = yield* built(one.body.id)
    assert.strictEqual(failed.latest_build.status, "failed")
    assert.match(failed.latest_build.job.error ?? "", /^git worktree add .*: .*It does not pass by itself/)
    assert.deepStrictEqual(failed.latest_build.resources, [])
    assert.include(yield* logOf(failed.latest_build.id), failed.latest_build.job.error ?? "")

    yield* built(two.body.id)
    assert.strictEqual((yield* build(two.body.id, "delete")).status, "deleted")
    assert.strictEqual(git(repository, "branch", "--list", "fleet/*"), "")

    rmSync(stateDirectory)
    yield* build(one.body.id, "start")
    yield* ready(one.body.id)
    assert.strictEqual((yield* idle("unlucky")).at(-1)?.content, "at last\n[exit code 0]")
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("takes reports with the agent's own token", () =>
  Effect.gen(function* () {
    const { agentTokens } = yield* EmbeddedFixture
    const workspace = yield* createReady("Bot-1")
    const token = agentTokens.at(-1)
    for (const state of ["working", "idle", "complete", "failure"]) {
      assert.deepStrictEqual(
        yield* Effect.map(report(token, status(state, state)), ({ body, status }) => [status, body]),
        [200, null]
      )
    }
    yield* report(token, status("working", ""))
    const { latest_app_status } = yield* byId(workspace.id)
    assert.isNotNull(latest_app_status)
    assert.deepInclude(latest_app_status, { state: "working", message: "", agent_id: agentOf(workspace)?.id ?? "" })
    assert.deepStrictEqual(
      appOf(yield* byId(workspace.id))?.statuses.map(({ message }) => message),
      ["", "failure", "complete", "idle", "working"]
    )

    const tooLong = "Message must be less than 160 characters."
    const cases = [
      [
        status("idle", "x".repeat(161)),
        {
          message: "Message is too long.",
          detail: tooLong,
          validations: [{ field: "message", detail: tooLong }]
        }
      ],
      [
        status("idle", "m", "nope"),
        { message: "Failed to get workspace app.", detail: 'No app found with slug "nope"' }
      ],
      [status("thinking", "m"), { message: "Failed to parse request.", detail: "Invalid state: thinking" }]
    ] as const
    for (const [body, expected] of cases) {
      const answer = yield* report(token, body)
      assert.deepStrictEqual([answer.status, answer.body], [400, expected])
    }
    assert.strictEqual((yield* report(token, status("idle", "x".repeat(160)))).status, 200)
    for (const other of [undefined, "nonsense", "00000000-0000-4000-8000-000000000000"]) {
      assert.strictEqual((yield* report(other, status("idle", "m"))).status, 401)
    }
    yield* build(workspace.id, "stop")
    assert.strictEqual((yield* report(token, status("idle", "m"))).status, 401)
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("lists as Coder does: running ones first, then by name; pages; search", () =>
  Effect.gen(function* () {
    const list = (query: string) =>
      Effect.map(
        get<{ readonly workspaces: ReadonlyArray<{ readonly name: string }>; readonly count: number }>(
          `/api/v2/workspaces?${query}`
        ),
        ({ count, workspaces }) => [count, ...workspaces.map(({ name }) => name)]
      )
    const made = yield* Effect.all([create("Beta"), create("alpha"), create("gamma")])
    for (const { body } of made) yield* built(body.id)
    yield* build(made[1].body.id, "stop")
    assert.deepStrictEqual(yield* list(""), [3, "Beta", "gamma", "alpha"])
    assert.deepStrictEqual(yield* list("q=owner:me&limit=2&offset=1"), [3, "gamma", "alpha"])
    assert.deepStrictEqual(yield* list("limit=2&offset=50"), [3])
    assert.deepStrictEqual(yield* list("limit=0&owner=nobody"), [3, "Beta", "gamma", "alpha"])
    assert.deepStrictEqual(yield* list("q=owner:nobody"), [0])
    assert.deepStrictEqual(yield* list("q=name:A%20status:running"), [2, "Beta", "gamma"])
    assert.deepStrictEqual(yield* list("q=local/alpha"), [1, "alpha"])
    assert.deepStrictEqual(yield* list("q=owner:ME%20template:Sample%20gam"), [1, "gamma"])
    assert.deepStrictEqual(yield* list("q=template:other"), [0])
    yield* startBuild(made[0].body.id, "delete")
    yield* until(list(""), ([count]) => count === 2)
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.live("lists the builds of a workspace, newest first, each with the apps that it had", () =>
  Effect.gen(function* () {
    type Builds = ReadonlyArray<Effect.Effect.Success<ReturnType<typeof byId>>["latest_build"]>
    const { id } = yield* createReady("bot")
    yield* build(id, "stop")
    yield* build(id, "start")
    yield* build(id, "stop")
    const list = (query: string) => get<Builds>(`/api/v2/workspaces/${id}/builds${query}`)
    const numbers = (query: string) => Effect.map(list(query), (all) => all.map(({ build_number }) => build_number))
    assert.deepStrictEqual(yield* numbers(""), [4, 3, 2, 1])
    assert.deepStrictEqual(yield* numbers("?limit=2"), [4, 3])
    assert.deepStrictEqual(yield* numbers("?limit=0"), [4, 3, 2, 1])
    const agents = (yield* list("")).map(({ resources }) => resources.flatMap(({ agents = [] }) => agents.length))
    assert.deepStrictEqual(agents, [[0], [1], [0], [1]])
    assert.strictEqual(
      (yield* send("GET", "/api/v2/workspaces/00000000-0000-4000-8000-000000000000/builds")).status,
      404
    )
    assert.strictEqual((yield* send("GET", `/api/v2/workspaces/${id}/builds?limit=x`)).status, 400)
  }).pipe(Effect.provide(embedded({ allowShell: true })))
)

it.scopedLive("does not delete what processes are still at work in", () =>
  Effect.gen(function* () {
    const proc = yield* temporaryDirectory
    mkdirSync(join(proc, "self"))
    writeFileSync(join(proc, "self", "environ"), "")
    // More than the largest id that Linux gives: no signal ends it.
    const stubborn = join(proc, "4194305")
    yield* Effect.gen(function* () {
      const { stateDirectory } = yield* EmbeddedFixture
      const { id } = yield* createReady("busy")
      const worktree = join(stateDirectory, "worktrees", id)
      const marks = Object.entries(markersOf(id, stateDirectory)).map(([name, value]) => `${name}=${value}\0`)
      mkdirSync(stubborn)
      writeFileSync(join(stubborn, "environ"), marks.join(""))
      const failed = yield* build(id, "stop")
      assert.strictEqual(failed.job.status, "failed")
      assert.include(failed.job.error, "1 process could not be ended")
      const refused = yield* build(id, "delete")
      assert.strictEqual(refused.job.status, "failed")
      assert.include(refused.job.error, "Nothing was removed: 1 process could not be ended")
      assert.isTrue(existsSync(worktree))
      rmSync(stubborn, { recursive: true })
      assert.strictEqual((yield* build(id, "delete")).status, "deleted")
      assert.isFalse(existsSync(worktree))
    }).pipe(Effect.provide(embedded({ allowShell: true }).pipe(Layer.provide(Layer.succeed(ProcDirectory, proc)))))
  })
)
