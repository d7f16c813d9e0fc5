import { assert, it } from "@effect/vitest"
import { Effect, Either, Exit } from "effect"
import { RowStore } from "../../../../src/layers/embedded/store/RowStore.ts"
import { journalSuite } from "./JournalSuite.ts"
import { rowStoreSuite, workspaceRow } from "./RowStoreSuite.ts"

rowStoreSuite("in memory", RowStore.layerMemory)
journalSuite("in memory", RowStore.layerMemory)

it.effect("rows that are held on to after their transaction cannot be changed", () =>
  Effect.gen(function* () {
    const store = yield* RowStore
    const rows = yield* store.transaction("test", (all) => Either.right(all))
    const exit = yield* Effect.exit(Effect.sync(() => rows.workspaces.put(workspaceRow("late"))))
    assert.isTrue(Exit.isFailure(exit))
    assert.strictEqual(yield* store.read("test", ({ workspaces }) => workspaces.count("name", "late")), 0)
  }).pipe(Effect.provide(RowStore.layerMemory))
)
