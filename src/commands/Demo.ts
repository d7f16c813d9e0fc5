import { Command, FileSystem, Path } from "@effect/platform"
import { Duration, Effect, Schedule, Schema } from "effect"
import { connect, environmentOf, type FleetClient } from "./demo/FleetClient.ts"
import { makeScreen, type Screen } from "./demo/Screen.ts"
import { isAlive } from "./Processes.ts"
import { DemoFailed, fixedSlug, git, makeScratch, run, worktreeOf, type Scratch } from "./demo/Scratch.ts"

const Rows = Schema.Struct({
  agents: Schema.Array(
    Schema.Struct({ name: Schema.String, status: Schema.String, last_task: Schema.NullOr(Schema.String) })
  )
})
const Named = Schema.Struct({ projects: Schema.Array(Schema.Struct({ name: Schema.String })) })
const Roles = Schema.Struct({ roles: Schema.Array(Schema.Struct({ name: Schema.String })) })
const Created = Schema.Struct({ outcome: Schema.String, task: Schema.String })
const Changed = Schema.Struct({ outcome: Schema.String, message: Schema.String })
const Logs = Schema.Struct({ logs: Schema.Array(Schema.Struct({ type: Schema.String, content: Schema.String })) })
const History = Schema.Struct({ tasks: Schema.Array(Schema.Struct({ state: Schema.String })) })

/** How long the demo waits for any one thing to become true, and how often it looks. */
const patience = Duration.seconds(20)
const glance = Duration.millis(200)

const node = JSON.stringify(process.execPath)

/** What each agent is told at its creation: real work, in shell. */
const firstTasks = {
  fixer: `# Replace every space, not only the first
cat > src/slug.js <<'END'
${fixedSlug}END
${node} --test && git commit --quiet --all --message="Replace every space"`,
  scribe: `# Write down the changes so far
echo run >> runs.txt
git log --format="- %s" > CHANGES.md
git add CHANGES.md runs.txt && git commit --quiet --message="Write down the changes"`,
  tester: `# Report what the tests say
${node} --test > report.txt 2>&1
git add report.txt && git commit --quiet --message="Report of the tests"`
}

/** A task that would go on for ten minutes; it says who it is, so that its end can be seen. */
const longTask = "# Wait for ten minutes\necho $$ > long.pid\nsleep 600"

const expect = (truth: boolean, otherwise: string): Effect.Effect<void, DemoFailed> =>
  truth ? Effect.void : new DemoFailed({ message: otherwise })

/** Looks again and again until it holds. */
const eventually = <E, R>(what: string, look: Effect.Effect<boolean, E, R>) =>
  look.pipe(
    Effect.filterOrFail(
      (holds) => holds,
      () => new DemoFailed({ message: `not seen within ${Duration.toSeconds(patience)} s: ${what}` })
    ),
    Effect.retry({
      while: (error) => error instanceof DemoFailed,
      schedule: Schedule.spaced(glance).pipe(Schedule.upTo(patience))
    })
  )

const statuses = (client: FleetClient, screen: Screen) =>
  Effect.tap(client.call("list_agents", {}, Rows), ({ agents }) => screen.table(agents))

const allIdle = (client: FleetClient, screen: Screen) =>
  Effect.map(statuses(client, screen), ({ agents }) => agents.every((agent) => agent.status === "idle"))

const createFleet = (client: FleetClient, screen: Screen) =>
  Effect.gen(function* () {
    const tools = yield* client.toolNames
    const { projects } = yield* client.call("list_agent_projects", {}, Named)
    const project = projects[0]?.name ?? (yield* new DemoFailed({ message: "the server offers no project" }))
    const { roles } = yield* client.call("list_agent_roles", { project }, Roles)
    yield* screen.step(`${tools.length} tools; project ${project}; roles: ${roles.map((role) => role.name).join(", ")}`)
    const created = yield* Effect.forEach(
      Object.entries(firstTasks),
      ([name, task]) => client.call("create_agent", { name, project, task, role: "shell" }, Created),
      { concurrency: 3 }
    )
    yield* expect(
      created.every(({ outcome }) => outcome === "applied"),
      "an agent was not created"
    )
    yield* screen.step("three agents created, each with its first task")
    yield* eventually("all agents idle", allIdle(client, screen))
  })

/** What the agents did, by git and by running their code: not by what the server says. */
const checkWork = (scratch: Scratch, screen: Screen) =>
  Effect.gen(function* () {
    const { repository } = scratch
    const changes = yield* git(repository, "show", "fleet/scribe:CHANGES.md")
    yield* expect(changes === "- Turn titles into slugs", `CHANGES.md of scribe says ${JSON.stringify(changes)}`)
    const report = yield* git(repository, "show", "fleet/tester:report.txt")
    yield* expect(report.includes("several words"), "the report of tester names no test")
    const fixed = yield* worktreeOf(scratch, "fleet/fixer")
    const output = yield* run(fixed, process.execPath, "--test")
    yield* expect(/fail 0/.test(output), "the tests fail in the worktree of fixer")
    const unchanged = yield* git(repository, "status", "--porcelain")
    yield* expect(unchanged === "", "the repository itself was changed")
    yield* screen.step("git shows the three commits on three branches; the fixed code passes its tests")
  })

const cancelLongTask = (client: FleetClient, scratch: Scratch, screen: Screen) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const started = yield* client.call(
      "start_agent_task",
      { agent_name: "tester", task_description: longTask },
      Changed
    )
    yield* expect(started.outcome === "applied", `the long task: ${started.message}`)
    const pidFile = path.join(yield* worktreeOf(scratch, "fleet/tester"), "long.pid")
    const readPid = Effect.map(
      Effect.orElseSucceed(fs.readFileString(pidFile), () => ""),
      Number
    )
    yield* eventually(
      "the process of the long task",
      Effect.map(readPid, (pid) => pid > 0 && isAlive(pid))
    )
    const pid = yield* readPid
    yield* eventually(
      "tester busy",
      Effect.map(statuses(client, screen), ({ agents }) =>
        agents.some((agent) => agent.name === "tester" && agent.status === "busy")
      )
    )
    const canceled = yield* client.call("cancel_agent_task", { agent_name: "tester" }, Changed)
    yield* expect(canceled.outcome === "applied", `the cancellation: ${canceled.message}`)
    yield* expect(!isAlive(pid), `process ${pid} of the cancelled task still runs`)
    yield* eventually("tester idle", allIdle(client, screen))
    yield* fs.remove(pidFile)
    yield* screen.step(`a task of ten minutes cancelled; process ${pid} is gone`)
  })

const restartOne = (client: FleetClient, scratch: Scratch, screen: Screen) =>
  Effect.gen(function* () {
    const restarted = yield* client.call("restart_agent", { agent_name: "scribe" }, Changed)
    yield* expect(restarted.outcome === "applied", `the restart: ${restarted.message}`)
    yield* eventually("all agents idle after the restart", allIdle(client, screen))
    const runs = yield* git(yield* worktreeOf(scratch, "fleet/scribe"), "show", "HEAD:runs.txt")
    yield* expect(runs === "run", "the first task ran again after the restart")
    yield* screen.step("one agent restarted; its work is there, its first task ran once")
  })

const readBack = (client: FleetClient, screen: Screen) =>
  Effect.gen(function* () {
    const { logs } = yield* client.call("show_agent_log", { agent_name: "fixer", page_size: 10 }, Logs)
    const said = (type: string, text: string) =>
      logs.some((entry) => entry.type === type && entry.content.includes(text))
    yield* expect(said("input", "Replace every space"), "the log of fixer lacks its task")
    yield* expect(said("output", "exit code 0"), "the log of fixer lacks its end")
    const { tasks } = yield* client.call("show_agent_task_history", { agent_name: "fixer" }, History)
    yield* expect(tasks[0]?.state === "complete", `the newest report of fixer is ${tasks[0]?.state ?? "missing"}`)
    yield* screen.step(`log (${logs.length} messages) and history (${tasks.length} reports) of fixer read`)
  })

const deleteOne = (client: FleetClient, scratch: Scratch, screen: Screen) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const worktree = yield* worktreeOf(scratch, "fleet/fixer")
    yield* git(scratch.repository, "merge", "--quiet", "fleet/fixer")
    const deleted = yield* client.call("delete_agent", { agent_name: "fixer" }, Changed)
    yield* expect(deleted.outcome === "applied", `the deletion: ${deleted.message}`)
    yield* expect(!(yield* fs.exists(worktree)), "the worktree of the deleted agent is still there")
    const merged = yield* git(scratch.repository, "show", "main:src/slug.js")
    yield* expect(`${merged}\n` === fixedSlug, "the merged work is gone with its agent")
    const { agents } = yield* statuses(client, screen)
    yield* expect(agents.length === 2, "the deleted agent is still listed")
    yield* screen.step("the fix merged, its agent deleted, its worktree gone")
  })

const Supervisor = Schema.parseJson(Schema.Struct({ pid: Schema.Number }))

/** Ends the supervisor by this very program, and gives its process. */
const stopSupervisor = (scratch: Scratch, program: string) =>
  Effect.gen(function* () {
    const fleet = (...args: ReadonlyArray<string>) =>
      Command.make(process.execPath, program, ...args).pipe(Command.env(environmentOf(scratch)), Command.string)
    const { pid } = yield* Schema.decode(Supervisor)(yield* fleet("status", "--json"))
    yield* fleet("stop", "--now")
    return pid
  })

/** Where the demo fails half-way, what it started ends all the same. */
const supervisor = (scratch: Scratch, program: string) =>
  Effect.addFinalizer(() => Effect.ignore(stopSupervisor(scratch, program)))

const ended = (what: string, pid: number) =>
  eventually(
    what,
    Effect.sync(() => !isAlive(pid))
  )

/** One client after the other, each with a server of its own. */
const asClient = <A, E, R>(scratch: Scratch, program: string, use: (client: FleetClient) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const pid = yield* Effect.scoped(
      Effect.gen(function* () {
        const client = yield* connect(scratch, program)
        yield* use(client)
        return client.pid
      })
    )
    yield* ended("the end of the server", pid)
  })

/**
 * The main job, end to end: a scratch repository, a fleet over a real MCP client on stdio, three agents, their work. The
 * client ends half-way, and another one goes on with the same agents. The demo looks at files, git and the process table
 * itself, so a server that lies makes it fail. Takes well under 60 s and leaves nothing behind.
 */
export const demo = (program: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const screen = makeScreen(process.stdout)
      const scratch = yield* makeScratch
      yield* screen.step("a scratch repository with a bug and two tests")
      yield* supervisor(scratch, program)
      yield* asClient(scratch, program, (client) => createFleet(client, screen))
      yield* screen.step("the client and its server have ended; another client goes on with the same agents")
      yield* asClient(scratch, program, (client) =>
        Effect.gen(function* () {
          yield* eventually("the agents of the client before", allIdle(client, screen))
          yield* checkWork(scratch, screen)
          yield* cancelLongTask(client, scratch, screen)
          yield* restartOne(client, scratch, screen)
          yield* readBack(client, screen)
          yield* deleteOne(client, scratch, screen)
        })
      )
      yield* ended("the end of the supervisor", yield* stopSupervisor(scratch, program))
      yield* screen.step("the fleet was stopped, and no process of it is left; everything the demo made is removed")
    })
  )
