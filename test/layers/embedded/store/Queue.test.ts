import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Layer, Option, TestClock } from "effect"
import { join } from "node:path"
import { ConversationStore } from "../../../../src/layers/agenthost/ConversationStore.ts"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { layerSqlite } from "../../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import { layerStoredConversations } from "../../../../src/layers/embedded/store/StoredConversations.ts"
import type { StoreFailed } from "../../../../src/layers/embedded/store/StoreFailed.ts"
import { StoreLimits } from "../../../../src/layers/embedded/store/StoreLimits.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"

/** The conversations of a process that lives as long as the effect. */
const process = <A, E, R>(effect: Effect.Effect<A, E, R | ConversationStore>) =>
  Effect.provide(effect, Layer.fresh(layerStoredConversations))

const opened = Effect.flatMap(ConversationStore, ({ open }) => open("a"))
const keyOf = (key: string) => ({ key, fingerprint: `of ${key}` })
const limit = 3

type Act =
  | { readonly act: "add"; readonly text: string; readonly key: string | undefined }
  | { readonly act: "remove"; readonly id: number }
  | { readonly act: "next" | "hold" | "restart" | "begin" | "go on" }

const act: FastCheck.Arbitrary<Act> = FastCheck.oneof(
  FastCheck.record({
    act: FastCheck.constant("add" as const),
    text: FastCheck.string({ minLength: 1, maxLength: 20 }),
    key: FastCheck.constantFrom(undefined, undefined, "x", "y")
  }),
  FastCheck.record({ act: FastCheck.constant("remove" as const), id: FastCheck.integer({ min: 1, max: 6 }) }),
  FastCheck.record({
    act: FastCheck.constantFrom<"next" | "hold" | "restart" | "begin" | "go on">(
      "next",
      "hold",
      "restart",
      "begin",
      "go on"
    )
  })
)

/** What a queue is: the tasks that wait in their order, the last id, why it is held, and which keys are used. */
interface Model {
  readonly tasks: ReadonlyArray<{ readonly id: number; readonly text: string }>
  readonly last: number
  readonly held: string | null
  readonly keys: ReadonlySet<string>
  readonly prompts: ReadonlyArray<string>
}

const without = (model: Model, id: number): Model => {
  const tasks = model.tasks.filter((one) => one.id !== id)
  return { ...model, tasks, held: tasks.length === 0 ? null : model.held }
}

const suite = (name: string, rows: Layer.Layer<RowStore, StoreFailed>) =>
  describe(`the queue of an agent: ${name}`, () => {
    const carryOut = (one: Act, model: Model) =>
      Effect.gen(function* () {
        const conversation = yield* opened
        const { queue } = conversation
        switch (one.act) {
          case "add": {
            const added = yield* Effect.either(
              queue.add({ text: one.text, limit, key: one.key === undefined ? undefined : keyOf(one.key) })
            )
            if (model.tasks.length >= limit) {
              assert.strictEqual(Either.isLeft(added) && added.left._tag, "QueueFull")
              return model
            }
            if (one.key !== undefined && model.keys.has(one.key)) {
              assert.strictEqual(Either.isLeft(added) && added.left._tag, "KeyTaken")
              return model
            }
            const id = model.last + 1
            assert.strictEqual(Either.isRight(added) && added.right.id, id)
            return {
              ...model,
              last: id,
              held: null,
              tasks: [...model.tasks, { id, text: one.text }],
              keys: new Set([...model.keys, ...(one.key === undefined ? [] : [one.key])])
            }
          }
          case "remove":
            assert.strictEqual(
              yield* queue.remove(one.id),
              model.tasks.some(({ id }) => id === one.id)
            )
            return without(model, one.id)
          case "next": {
            const next = yield* conversation.beginNext
            const [first] = model.tasks
            assert.deepStrictEqual(Option.getOrUndefined(next), first)
            return first === undefined
              ? model
              : { ...without(model, first.id), prompts: [...model.prompts, first.text] }
          }
          case "hold":
            yield* queue.hold("failed")
            return model.tasks.length === 0 ? model : { ...model, held: "failed" }
          case "begin":
          case "go on":
            yield* conversation.beginTurn("another", { goesOn: one.act === "go on" })
            return {
              ...model,
              held: one.act === "go on" ? null : model.held,
              prompts: [...model.prompts, "another"]
            }
          case "restart":
            return model
        }
      })

    it.effect.prop(
      "is what a list would be, over processes too: no task lost, none twice, in order",
      [FastCheck.array(act, { maxLength: 20 })],
      ([acts]) =>
        Effect.gen(function* () {
          let model: Model = { tasks: [], last: 0, held: null, keys: new Set(), prompts: [] }
          const lives: Array<Array<Act>> = [[]]
          for (const one of acts) {
            if (one.act === "restart") lives.push([])
            else lives.at(-1)?.push(one)
          }
          for (const life of lives) {
            yield* process(
              Effect.gen(function* () {
                for (const one of life) {
                  model = yield* carryOut(one, model)
                  const conversation = yield* opened
                  const { held, last_id, tasks } = yield* conversation.queue.state
                  assert.deepStrictEqual(
                    [tasks.map(({ id }) => id), last_id, held?.reason ?? null],
                    [model.tasks.map(({ id }) => id), model.last, model.held]
                  )
                  assert.deepStrictEqual(
                    (yield* conversation.messages).filter(({ role }) => role === "user").map(({ content }) => content),
                    model.prompts
                  )
                  for (const key of ["x", "y"]) {
                    const used = yield* conversation.queue.used(key)
                    assert.strictEqual(Option.isSome(used), model.keys.has(key))
                  }
                }
              })
            )
          }
        }).pipe(Effect.provide(rows), Effect.scoped),
      { fastCheck: { numRuns: 40 } }
    )

    it.effect("is gone with its agent, and its keys are known still", () =>
      Effect.gen(function* () {
        yield* process(
          Effect.gen(function* () {
            const { queue } = yield* opened
            yield* queue.add({ text: "one", limit, key: keyOf("x") })
            yield* (yield* ConversationStore).discard("a")
            const again = yield* opened
            assert.deepStrictEqual(yield* again.queue.state, { tasks: [], held: null, last_id: 0 })
            assert.isTrue(Option.isSome(yield* again.queue.used("x")))
          })
        )
        const texts = yield* Effect.flatMap(RowStore, (store) =>
          store.read("texts", (all) => all.queuedTexts.select("workspace", "a"))
        )
        assert.deepStrictEqual(texts, [])
      }).pipe(Effect.provide(rows))
    )

    it.effect("a key is known for 24 hours, also where the clock goes back; of too many the oldest go", () =>
      process(
        Effect.gen(function* () {
          yield* TestClock.setTime(Date.UTC(2026, 0, 10))
          const { queue } = yield* opened
          const use = (key: string) => Effect.either(queue.add({ text: "one", limit: 100, key: keyOf(key) }))
          yield* use("x")
          yield* TestClock.setTime(Date.UTC(2026, 0, 9))
          assert.isTrue(Option.isSome(yield* queue.used("x")))
          yield* TestClock.setTime(Date.UTC(2026, 0, 11))
          assert.isTrue(Either.isLeft(yield* use("x")))
          yield* TestClock.adjust(1)
          assert.isTrue(Option.isNone(yield* queue.used("x")))
          assert.isTrue(Either.isRight(yield* use("x")))
          for (const key of ["1", "2", "3"]) yield* use(key)
          assert.isTrue(Option.isNone(yield* queue.used("x")))
          assert.isTrue(Option.isSome(yield* queue.used("1")))
        })
      ).pipe(
        Effect.provide(
          Layer.unwrapEffect(
            Effect.map(StoreLimits, (limits) => {
              const few = Layer.succeed(StoreLimits, { ...limits, keys: 3 })
              return Layer.merge(few, Layer.provide(rows, few))
            })
          )
        )
      )
    )
  })

suite("in memory", RowStore.layerMemory)
suite(
  "SQLite",
  Layer.unwrapScoped(Effect.map(temporaryDirectory, (directory) => layerSqlite(join(directory, "store.db"))))
)
