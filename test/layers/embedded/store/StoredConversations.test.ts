import { DatabaseSync } from "@photostructure/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, FastCheck, Layer, Logger, Option, Ref, TestClock } from "effect"
import { copyFileSync, existsSync } from "node:fs"
import { join } from "node:path"
import { ConversationStore } from "../../../../src/layers/agenthost/ConversationStore.ts"
import { HostLimits } from "../../../../src/layers/agenthost/HostLimits.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { layerSqlite } from "../../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import type { StoreFailed } from "../../../../src/layers/embedded/store/StoreFailed.ts"
import { layerStoredConversations } from "../../../../src/layers/embedded/store/StoredConversations.ts"
import { faultyRowStore, type StoreFaults } from "../../../support/FaultyRowStore.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"

const small = Layer.effect(
  HostLimits,
  Effect.map(HostLimits, (limits) => ({ ...limits, outputLine: 200, message: 600, conversation: 3000, part: 50 }))
)

const conversations = layerStoredConversations.pipe(Layer.provide(small))

/** The conversations of a process that lives as long as the effect. */
const process = <A, E, R>(effect: Effect.Effect<A, E, R | ConversationStore>) =>
  Effect.provide(effect, Layer.fresh(conversations))

const opened = (workspaceId: string) => Effect.flatMap(ConversationStore, ({ open }) => open(workspaceId))
const messagesOf = (workspaceId: string) => Effect.flatMap(opened(workspaceId), ({ messages }) => messages)
const texts = (workspaceId: string) =>
  Effect.map(messagesOf(workspaceId), (messages) => messages.map(({ content, role }) => `${role}: ${content}`))
const turns = (workspaceId: string) =>
  Effect.flatMap(RowStore, (store) => store.read("turns", (rows) => rows.turns.select("workspace", workspaceId)))
const textRows = Effect.flatMap(RowStore, (store) =>
  store.read("text", (rows) =>
    ["a", "b"].flatMap((id) => [
      ...rows.messages.select("workspace", id),
      ...rows.parts.select("workspace", id),
      ...rows.transcripts.select("workspace", id)
    ])
  )
)

const aTurn = (prompt: string, output: string) =>
  Effect.gen(function* () {
    const conversation = yield* opened("a")
    yield* conversation.beginTurn(prompt)
    yield* conversation.extend(output)
    yield* conversation.endTurn("complete", "[exit code 0]")
  })

type Act = { readonly does: "turn" | "output" | "end" | "wait" | "restart"; readonly text: string }
const text = FastCheck.string({ unit: FastCheck.constantFrom("a", "\n", "\u0000", "€", '"', "😀"), maxLength: 300 })
const acts: FastCheck.Arbitrary<ReadonlyArray<Act>> = FastCheck.array(
  FastCheck.record({
    does: FastCheck.constantFrom<Act["does"]>("turn", "output", "output", "end", "wait", "restart"),
    text
  }),
  { maxLength: 25 }
)

const suite = (name: string, rows: Layer.Layer<RowStore, StoreFailed>) =>
  describe(`conversations: ${name}`, () => {
    it.effect("are the same in the next process, with their turns", () =>
      Effect.gen(function* () {
        const before = yield* process(
          Effect.gen(function* () {
            yield* (yield* opened("a")).greet("Hello.")
            yield* aTurn("one", "1\n")
            yield* TestClock.adjust("1 minute")
            yield* aTurn("two", "2\n")
            assert.deepStrictEqual(yield* messagesOf("b"), [])
            return yield* messagesOf("a")
          })
        )
        assert.deepStrictEqual(
          before.map(({ content, id, role }) => [id, role, content]),
          [
            [0, "agent", "Hello."],
            [1, "user", "one"],
            [2, "agent", "1\n[exit code 0]"],
            [3, "user", "two"],
            [4, "agent", "2\n[exit code 0]"]
          ]
        )
        yield* process(
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* messagesOf("a"), before)
            yield* aTurn("three", "3\n")
            assert.deepStrictEqual(
              (yield* messagesOf("a")).map(({ id }) => id),
              [0, 1, 2, 3, 4, 5, 6]
            )
          })
        )
        assert.deepStrictEqual(
          (yield* turns("a")).map(({ ended, message_id, output, task }) => [
            message_id,
            task,
            output.bytes,
            ended?.state
          ]),
          [
            [1, "one", 2, "complete"],
            [3, "two", 2, "complete"],
            [5, "three", 2, "complete"]
          ]
        )
      }).pipe(Effect.provide(rows))
    )

    it.effect("one that is discarded is gone, with all its rows", () =>
      Effect.gen(function* () {
        yield* process(
          Effect.gen(function* () {
            yield* aTurn("one", "1\n")
            const conversation = yield* opened("a")
            yield* (yield* ConversationStore).discard("a")
            yield* conversation.extend("late")
            yield* conversation.endTurn("interrupted", "[interrupted]")
            yield* TestClock.adjust("1 minute")
            assert.deepStrictEqual(yield* messagesOf("a"), [])
          })
        )
        assert.deepStrictEqual(yield* textRows, [])
      }).pipe(Effect.provide(rows))
    )

    it.effect.prop(
      "whatever was said, in however many processes: the same texts, and bounded rows",
      [acts],
      ([steps]) =>
        Effect.gen(function* () {
          const store = yield* RowStore
          // One that never ends.
          const endless = yield* Layer.build(
            Layer.fresh(conversations.pipe(Layer.provide(Layer.fresh(RowStore.layerMemory))))
          )
          const perform = ({ does, text: said }: Act) =>
            Effect.gen(function* () {
              const conversation = yield* opened("a")
              if (does === "turn") yield* conversation.beginTurn(said)
              if (does === "output") yield* conversation.extend(said)
              if (does === "end") yield* conversation.endTurn("failure", said)
            })
          const lives: Array<Array<Act>> = [[]]
          for (const act of steps) {
            if (act.does === "restart") lives.push([])
            else lives.at(-1)?.push(act)
          }
          for (const life of lives) {
            let hasTurn = false
            const shown = yield* process(
              Effect.gen(function* () {
                for (const act of life) {
                  hasTurn ||= act.does === "turn"
                  // An agent that is gone says nothing more.
                  if (act.does === "output" && !hasTurn) continue
                  if (act.does === "wait") yield* TestClock.adjust("1 second")
                  yield* perform(act)
                  yield* Effect.provide(perform(act), endless)
                }
                return yield* messagesOf("a")
              })
            )
            assert.deepStrictEqual(shown, yield* Effect.provide(messagesOf("a"), endless))
          }
          const kept = yield* store.read("parts", (found) => found.parts.select("workspace", "a"))
          // All of it, and at most one part more for each end of a message that was cut.
          assert.isBelow(JSON.stringify(kept.map(({ text: part }) => part).join("")).length, 3000 + 600 + 40 * 100)
        }).pipe(Effect.scoped, Effect.provide(rows)),
      { fastCheck: { numRuns: 30 } }
    )
  })

const inFile = (file: string) => Layer.fresh(layerSqlite(file))

suite("in memory", RowStore.layerMemory)
suite(
  "in a file",
  Layer.unwrapScoped(Effect.map(temporaryDirectory, (directory) => layerSqlite(join(directory, "store.db"))))
)

/** What a killed process leaves: a copy of the file and of what was written ahead of it. */
const copyOf = (file: string, to: string) =>
  Effect.sync(() => {
    copyFileSync(file, to)
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${to}-wal`)
    return inFile(to)
  })

describe("a conversation that nobody has open", () => {
  it.scoped("takes no place: it is read afresh, as it was stored; until then it is one for all who have it open", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryDirectory, "store.db")
      yield* process(
        Effect.gen(function* () {
          const [one, other] = [yield* opened("a"), yield* opened("a")]
          yield* one.beginTurn("go")
          yield* one.extend("said")
          yield* one.close
          yield* other.extend(" more")
          yield* other.close
          yield* Effect.acquireUseRelease(
            Effect.sync(() => new DatabaseSync(file)),
            (database) => Effect.sync(() => database.exec("UPDATE parts SET row = replace(row, 'said', 'read')")),
            (database) => Effect.sync(() => database.close())
          )
          assert.deepStrictEqual(yield* texts("a"), ["user: go", "agent: read more"])
          // The one that is open goes on, and its rows with it.
          const again = yield* opened("a")
          yield* again.endTurn("complete", "[exit code 0]")
          assert.deepStrictEqual(yield* texts("a"), ["user: go", "agent: read more\n[exit code 0]"])
        })
      ).pipe(Effect.provide(inFile(file)))
      assert.deepStrictEqual(yield* process(texts("a")).pipe(Effect.provide(inFile(file))), [
        "user: go",
        "agent: read more\n[exit code 0]"
      ])
    })
  )
})

describe("a process that is killed", () => {
  it.effect("has said as much as was noted, also when the next one ends its turn", () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const conversation = yield* opened("a")
        yield* conversation.beginTurn("one")
        yield* conversation.extend("said\n")
        yield* TestClock.adjust("31 seconds")
        yield* conversation.extend("said\n")
        yield* TestClock.adjust("31 seconds")
        yield* process(Effect.flatMap(opened("a"), ({ endTurn }) => endTurn("interrupted", "[interrupted]")))
      }).pipe(Effect.provide(Layer.fresh(conversations)))
      assert.strictEqual((yield* turns("a"))[0]?.output.bytes, 10)
    }).pipe(Effect.provide(RowStore.layerMemory))
  )

  it.scoped("loses output of the last interval at most: no prompt, and no end of a turn", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "store.db")
      let copies = 0
      const killed = Effect.gen(function* () {
        const left = yield* copyOf(file, join(directory, `${copies++}.db`))
        return yield* process(Effect.all({ texts: texts("a"), turns: turns("a") })).pipe(Effect.provide(left))
      })
      yield* process(
        Effect.gen(function* () {
          const conversation = yield* opened("a")
          yield* conversation.beginTurn("one")
          assert.deepStrictEqual((yield* killed).texts, ["user: one", "agent: "])
          assert.isNull((yield* killed).turns[0]?.ended)
          yield* conversation.extend("said ")
          assert.deepStrictEqual((yield* killed).texts, ["user: one", "agent: "])
          yield* TestClock.adjust("500 millis")
          assert.deepStrictEqual((yield* killed).texts, ["user: one", "agent: said "])
          yield* conversation.extend("more")
          yield* conversation.endTurn("complete", "[exit code 0]")
          const { texts: said, turns: run } = yield* killed
          assert.deepStrictEqual(said, ["user: one", "agent: said more\n[exit code 0]"])
          assert.strictEqual(run[0]?.ended?.state, "complete")
        })
      ).pipe(Effect.provide(inFile(file)))
    })
  )
})

describe("a process that is killed after any commit", () => {
  const prompts = FastCheck.array(
    FastCheck.record({ output: text, isCut: FastCheck.boolean(), wait: FastCheck.nat(1200) }),
    { minLength: 1, maxLength: 6 }
  )

  it.effect.prop(
    "has left every prompt that was taken, every turn that was told as ended, and no half message",
    [prompts],
    ([script]) =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const file = join(directory, "store.db")
        const left: Array<{ readonly file: string; readonly begun: number; readonly ended: number }> = []
        let begun = 0
        let ended = 0
        const copying = Layer.effect(
          RowStore,
          Effect.map(RowStore, (store) =>
            RowStore.of({
              ...store,
              transaction: (operation, step) =>
                Effect.tap(store.transaction(operation, step), () =>
                  Effect.map(copyOf(file, join(directory, `${left.length}.db`)), () =>
                    left.push({ file: join(directory, `${left.length}.db`), begun, ended })
                  )
                )
            })
          )
        )
        yield* process(
          Effect.gen(function* () {
            const conversation = yield* opened("a")
            for (const { isCut, output, wait } of script) {
              yield* conversation.beginTurn(`prompt ${begun}`)
              begun++
              yield* conversation.extend(output)
              yield* TestClock.adjust(wait)
              yield* conversation.extend(output)
              yield* conversation.endTurn(isCut ? "interrupted" : "complete", `[end ${ended}]`)
              ended++
            }
          })
        ).pipe(Effect.provide(Layer.provide(copying, inFile(file))))
        for (const copy of left) {
          const found = yield* process(
            Effect.all({ messages: messagesOf("a"), turns: turns("a"), rows: textRows })
          ).pipe(Effect.provide(inFile(copy.file)))
          // What was just committed may not have been acknowledged yet.
          assert.oneOf(found.turns.length, [copy.begun, copy.begun + 1])
          const over = found.turns.filter((turn) => turn.ended !== null).length
          assert.oneOf(over, [copy.ended, copy.ended + 1])
          const last = found.messages.at(-1)
          assert.strictEqual(last?.role, "agent")
          assert.strictEqual(last?.id, 2 * found.turns.length - 1)
          assert.strictEqual(found.messages.at(-2)?.content, `prompt ${found.turns.length - 1}`)
          const isOver = over === found.turns.length
          assert.strictEqual(/\[end \d+\]$/.test(last?.content ?? ""), isOver)
        }
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 8 } }
  )
})

describe("output", () => {
  it.effect("of fifty agents is stored in few commits, which are not told", () =>
    Effect.gen(function* () {
      const store = yield* RowStore
      const commits = yield* Ref.make(0)
      const counting = RowStore.of({
        ...store,
        transaction: (operation, step) =>
          Effect.zipRight(
            Ref.update(commits, (count) => count + (operation === "storeOutput" ? 1 : 0)),
            store.transaction(operation, step)
          )
      })
      yield* process(
        Effect.gen(function* () {
          const all = yield* Effect.forEach(
            Array.from({ length: 50 }, (_, index) => `${index}`),
            opened
          )
          yield* Effect.forEach(all, ({ beginTurn }) => beginTurn("go"))
          const begun = yield* store.read("position", ({ position }) => position)
          for (let tenth = 0; tenth < 100; tenth++) {
            yield* Effect.forEach(all, ({ extend }) => extend("a line\n"))
            yield* TestClock.adjust("100 millis")
          }
          assert.isAtMost(yield* commits, 20)
          assert.strictEqual(yield* store.read("position", ({ position }) => position), begun)
          yield* TestClock.adjust("25 seconds")
          yield* Effect.forEach(all, ({ extend }) => extend("a line\n"))
          yield* TestClock.adjust("1 second")
          // Once in a while it is told that there is more.
          assert.strictEqual((yield* turns("7"))[0]?.output.bytes, 707)
        })
      ).pipe(Effect.provideService(RowStore, counting))
    }).pipe(Effect.provide(RowStore.layerMemory))
  )
})

it.effect("an agent that says a short line a second has few rows", () =>
  Effect.gen(function* () {
    const store = yield* RowStore
    const lines = 600
    yield* Effect.provide(
      Effect.gen(function* () {
        const conversation = yield* opened("a")
        yield* conversation.beginTurn("go")
        for (let second = 0; second < lines; second++) {
          yield* conversation.extend("a short line\n")
          yield* TestClock.adjust("1 second")
        }
      }),
      Layer.fresh(layerStoredConversations)
    )
    const parts = yield* store.read("parts", (rows) => rows.parts.select("workspace", "a"))
    assert.strictEqual(parts.map(({ text: said }) => said).join(""), `go${"a short line\n".repeat(lines)}`)
    const { smallPart } = yield* HostLimits
    assert.isAtMost(parts.length, 2 + (2 * lines * 14) / smallPart)
  }).pipe(Effect.provide(RowStore.layerMemory))
)

class ConversationFaults extends Context.Tag("test/ConversationFaults")<
  ConversationFaults,
  (now: StoreFaults) => Effect.Effect<void>
>() {}

const failing = Layer.unwrapEffect(
  Effect.map(Ref.make<StoreFaults>({}), (faults) =>
    Layer.provideMerge(
      Layer.merge(
        faultyRowStore(faults),
        Layer.succeed(ConversationFaults, (now: StoreFaults) => Ref.set(faults, now))
      ),
      RowStore.layerMemory
    )
  )
)

describe("a store that fails", () => {
  it.effect("refuses a prompt whole, at whichever write, and takes it the next time", () =>
    Effect.gen(function* () {
      const set = yield* ConversationFaults
      let refused = 0
      yield* process(
        Effect.gen(function* () {
          const conversation = yield* opened("a")
          yield* conversation.greet("Hello.")
          let written = 0
          for (let write = 1; ; write++) {
            yield* set({ write: written + write })
            const result = yield* Effect.either(conversation.beginTurn("go"))
            if (result._tag === "Right") break
            refused++
            written += write
            assert.include(result.left.message, "disk full")
            assert.deepStrictEqual(yield* texts("a"), ["agent: Hello."])
            assert.deepStrictEqual(yield* turns("a"), [])
          }
        })
      )
      assert.isAtLeast(refused, 4)
      assert.deepStrictEqual(yield* process(texts("a")), ["agent: Hello.", "user: go", "agent: "])
    }).pipe(Effect.provide(failing))
  )

  it.effect("takes no output from readers, says so once, and gets it all when it works again", () =>
    Effect.gen(function* () {
      const set = yield* ConversationFaults
      const logged = yield* Ref.make<ReadonlyArray<string>>([])
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ logLevel, message }) => {
          if (logLevel._tag === "Error") Effect.runSync(Ref.update(logged, (all) => [...all, String(message)]))
        })
      )
      yield* process(
        Effect.gen(function* () {
          const conversation = yield* opened("a")
          yield* conversation.beginTurn("go")
          yield* set({ operations: ["storeOutput"] })
          for (let index = 0; index < 5; index++) {
            yield* conversation.extend(`${index} `)
            yield* TestClock.adjust("10 seconds")
          }
          assert.deepStrictEqual(yield* texts("a"), ["user: go", "agent: 0 1 2 3 4 "])
          assert.lengthOf(yield* logged, 1)
          assert.deepStrictEqual(yield* process(texts("a")), ["user: go", "agent: "])
          yield* set({})
          yield* TestClock.adjust("10 seconds")
          assert.deepStrictEqual(yield* process(texts("a")), ["user: go", "agent: 0 1 2 3 4 "])
        })
      ).pipe(Effect.provide(logger))
    }).pipe(Effect.provide(failing))
  )

  it.effect("holds the end of a turn up until it is stored, and for a bounded time", () =>
    Effect.gen(function* () {
      const set = yield* ConversationFaults
      yield* process(
        Effect.gen(function* () {
          const conversation = yield* opened("a")
          yield* conversation.beginTurn("go")
          yield* set({ operations: ["endTurn", "storeOutput"] })
          const ending = yield* Effect.fork(conversation.endTurn("failure", "[exit code 1]"))
          yield* TestClock.adjust("1 second")
          assert.isTrue(Option.isNone(yield* ending.poll))
          yield* TestClock.adjust("1 minute")
          assert.isTrue(Option.isSome(yield* ending.poll))
          yield* set({})
          yield* TestClock.adjust("10 seconds")
          assert.deepStrictEqual(yield* process(texts("a")), ["user: go", "agent: [exit code 1]"])
          assert.strictEqual((yield* turns("a"))[0]?.ended?.state, "failure")
        })
      )
    }).pipe(Effect.provide(failing))
  )
})
