import * as NodeStream from "@effect/platform-node/NodeStream"
import { Context, Deferred, Effect, Fiber, Option, Ref, Schedule, Schema, Stream, type Scope } from "effect"
import { spawn, type ChildProcess } from "node:child_process"
import { Writable, type Readable } from "node:stream"
import type { Environment } from "./Environment.ts"
import { launch, membersEnd, pidsIn, scriptEnd, type Command } from "./Launch.ts"
import { isGroupAlive, isMemberAlive, signalGroup } from "./ProcessGroup.ts"
import { ProcessLimits } from "./ProcessLimits.ts"

/** There is no such program in the PATH of the given environment. */
export class ProgramNotFound extends Schema.TaggedError<ProgramNotFound>()("ProgramNotFound", {
  program: Schema.String
}) {
  override get message() {
    return `There is no program ${JSON.stringify(this.program)}.`
  }
}

/** The process could not be started: the directory is missing (`ENOENT`), or the system refused (`E2BIG`, `EAGAIN`). */
export class SpawnFailed extends Schema.TaggedError<SpawnFailed>()("SpawnFailed", {
  directory: Schema.String,
  code: Schema.String
}) {
  override get message() {
    return `No process could be started in ${JSON.stringify(this.directory)} (${this.code}).`
  }
}

/** How a process ended: by itself with a code, or by a signal such as `SIGTERM`. The other one is null. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: string | null
}

/** How a run ended. */
export interface RunEnd extends ProcessExit {
  /** How many processes were still running in its group then, and were ended; none where that could not be seen. */
  readonly background: Option.Option<number>
}

export interface ProcessOptions {
  readonly command: Command
  readonly directory: string
  /** All of it: nothing is inherited. */
  readonly environment: Environment
  /** Takes the output as it comes, whole characters only; the process waits while it works. */
  readonly onOutput: (text: string) => Effect.Effect<void>
  /** Takes stderr. Without it, stderr goes to `onOutput`, in the order written. */
  readonly onError?: ((text: string) => Effect.Effect<void>) | undefined
}

/**
 * The patience with processes that were told to end (SIGTERM): when this effect completes, SIGKILL follows. It is read
 * when they are told.
 */
export class Grace extends Context.Reference<Grace>()("fleet-mcp/layers/agenthost/process/AgentProcess/Grace", {
  defaultValue: (): Effect.Effect<void> =>
    Effect.flatMap(ProcessLimits, ({ interruptGrace }) => Effect.sleep(interruptGrace))
}) {}

interface Spawned {
  readonly child: ChildProcess
  readonly exit: Deferred.Deferred<ProcessExit>
  readonly missing: Deferred.Deferred<boolean>
  /** What the watchdog tells when it is asked: who lives in the group, itself included; nobody when it cannot tell. */
  readonly members: Deferred.Deferred<ReadonlyArray<number>>
}

interface Running extends Spawned {
  /** Ends with the output; fails only if that cannot be taken. */
  readonly output: Fiber.Fiber<void>
  readonly background: Deferred.Deferred<Option.Option<number>>
}

const inputOf = (child: ChildProcess, descriptor: 3 | 4): Writable | undefined => {
  const pipe = child.stdio[descriptor]
  return pipe instanceof Writable ? pipe : undefined
}

const spawned = Effect.fn("AgentProcess.spawned")(function* (options: ProcessOptions) {
  const exit = yield* Deferred.make<ProcessExit>()
  const missing = yield* Deferred.make<boolean>()
  const members = yield* Deferred.make<ReadonlyArray<number>>()
  const child = yield* Effect.async<ChildProcess, SpawnFailed>((resume) => {
    const failed = (error: unknown) => {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown"
      resume(new SpawnFailed({ directory: options.directory, code }))
    }
    try {
      const script = "script" in options.command ? options.command.script : undefined
      const process = spawn("/bin/sh", launch(options.command, options.onError === undefined), {
        cwd: options.directory,
        env: options.environment,
        detached: true,
        stdio: ["ignore", "pipe", "pipe", "pipe", ...(script === undefined ? [] : ["pipe" as const])]
      })
      process.once("error", failed)
      process.once("spawn", () => resume(Effect.succeed(process)))
      process.once("exit", (code, signal) => Deferred.unsafeDone(exit, Effect.succeed({ code, signal })))
      let told = ""
      process.stdio[3]?.on("data", (bytes: Buffer) => {
        told += bytes.toString("latin1")
        if (told === "missing\n") Deferred.unsafeDone(missing, Effect.succeed(true))
        if (told.endsWith(membersEnd)) Deferred.unsafeDone(members, Effect.succeed(pidsIn(told)))
      })
      process.stdio[3]?.once("close", () => {
        Deferred.unsafeDone(missing, Effect.succeed(false))
        Deferred.unsafeDone(members, Effect.succeed([]))
      })
      for (const pipe of process.stdio) pipe?.on("error", () => undefined)
      // From the first moment: Node throws the output of an ended process away when nobody listens.
      for (const pipe of [process.stdout, process.stderr]) pipe?.on("readable", () => undefined)
      if (script !== undefined) inputOf(process, 4)?.end(script + scriptEnd)
    } catch (error) {
      failed(error)
    }
  })
  return { child, exit, members, missing } satisfies Spawned
})

const drain = (readable: Readable | null, onText: (text: string) => Effect.Effect<void>): Effect.Effect<void> => {
  if (readable === null) return Effect.void
  const decoder = new TextDecoder()
  const give = (text: string) => (text === "" ? Effect.void : onText(text))
  return NodeStream.fromReadable(
    () => readable,
    () => "closed" as const
  ).pipe(
    Stream.catchAll(() => Stream.empty),
    Stream.runForEach((bytes) => give(decoder.decode(bytes, { stream: true }))),
    Effect.zipRight(Effect.suspend(() => give(decoder.decode())))
  )
}

// For finalizers: neither the interruption of the fiber nor its being uninterruptible reaches the two.
const firstOf = (one: Effect.Effect<unknown>, other: Effect.Effect<unknown>): Effect.Effect<void> =>
  Effect.asVoid(Effect.raceFirst(Effect.interruptible(one), Effect.interruptible(other)))

const ended = Effect.fn("AgentProcess.ended")(function* (run: Running) {
  const { background, child, exit, members, output } = run
  const limits = yield* ProcessLimits
  const group = child.pid ?? Number.NaN
  const over = Effect.zipRight(Deferred.await(exit), Fiber.await(output))
  if (!(yield* Deferred.isDone(exit))) {
    signalGroup(group, "SIGTERM")
    yield* firstOf(over, yield* Grace)
  }
  inputOf(child, 3)?.write("\n")
  const pids = yield* Effect.raceFirst(
    Effect.interruptible(Deferred.await(members)),
    Effect.interruptible(Effect.as(Effect.sleep(limits.killWait), []))
  )
  const isKnown = pids.length > 0
  yield* Deferred.succeed(background, isKnown ? Option.some(pids.length - 1) : Option.none())
  // Until now the watchdog was in the group, so its number cannot have passed to other processes.
  signalGroup(group, "SIGKILL")
  const gone = Effect.sync(() => (isKnown ? isMemberAlive(group, pids) : isGroupAlive(group))).pipe(
    Effect.repeat({
      while: (alive) => alive,
      schedule: Schedule.spaced(isKnown ? limits.killPoll : limits.searchPoll)
    })
  )
  // Not for ever: someone who left the group may hold the output, and a process may hang in the system.
  yield* firstOf(Effect.zipRight(over, gone), Effect.sleep(limits.killWait))
  child.stdio[3]?.destroy()
  yield* Fiber.interrupt(output)
})

const running = (options: ProcessOptions): Effect.Effect<Running, SpawnFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const process = yield* spawned(options)
      const background = yield* Deferred.make<Option.Option<number>>()
      const { stdout, stderr } = process.child
      const output = yield* Effect.all(
        [drain(stdout, options.onOutput), drain(stderr, options.onError ?? options.onOutput)],
        { concurrency: 2, discard: true }
      ).pipe(Effect.interruptible, Effect.forkDaemon)
      return { ...process, background, output }
    }),
    ended
  )

/**
 * Runs a process in a group of its own, without input, to its end; its output has been taken by then. However the run
 * ends, nothing of the group is left: not after a normal exit (background children are killed), not after an
 * interruption (SIGTERM to the group, SIGKILL after {@link Grace}), and not when this process is killed. Out of reach
 * are only processes that made themselves a new session.
 */
export const run = Effect.fn("AgentProcess.run")(function* (options: ProcessOptions) {
  const process = yield* Effect.scoped(
    Effect.tap(running(options), ({ exit, output }) =>
      Effect.raceFirst(Deferred.await(exit), Effect.zipRight(Fiber.join(output), Effect.never))
    )
  )
  if (!("script" in options.command) && (yield* Deferred.await(process.missing))) {
    return yield* new ProgramNotFound({ program: options.command[0] })
  }
  return { ...(yield* Deferred.await(process.exit)), background: yield* Deferred.await(process.background) }
})

const into = (ref: Ref.Ref<string>) => (text: string) => Ref.update(ref, (before) => before + text)

/** Runs a process as {@link run} does and answers all it wrote: for short helpers. */
export const capture = Effect.fn("AgentProcess.capture")(function* (
  options: Omit<ProcessOptions, "onOutput" | "onError">
) {
  const stdout = yield* Ref.make("")
  const stderr = yield* Ref.make("")
  const exit = yield* run({ ...options, onOutput: into(stdout), onError: into(stderr) })
  return { ...exit, stdout: yield* stdout, stderr: yield* stderr }
})
