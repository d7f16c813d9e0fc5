import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { claimFile } from "../../../../src/layers/embedded/store/sqlite/FileLock.ts"
import { temporaryDirectory } from "../../agenthost/support.ts"

const sqlite = pathToFileURL(join(process.cwd(), "node_modules/@photostructure/sqlite/dist/index.mjs")).href

/** Claims the file in another process, as the lock does, and answers whether that worked. */
const claimElsewhere = (file: string) =>
  Effect.async<boolean>((resume) => {
    const script = `import { DatabaseSync } from ${JSON.stringify(sqlite)}
new DatabaseSync(process.argv[1], { timeout: 0 }).exec("BEGIN EXCLUSIVE")`
    execFile(process.execPath, ["--input-type=module", "-e", script, file], (error) =>
      resume(Effect.succeed(error === null))
    )
  })

it.live("a file is claimed by one process at a time, and is free when the scope has closed", () =>
  Effect.gen(function* () {
    const file = join(yield* temporaryDirectory, "lock.db")
    yield* Effect.scoped(
      Effect.gen(function* () {
        assert.isTrue(yield* claimFile(file))
        assert.isFalse(yield* claimElsewhere(file))
      })
    )
    assert.isTrue(yield* claimElsewhere(file))
  }).pipe(Effect.scoped)
)

it.live("a file that cannot be a lock is told", () =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const error = yield* Effect.flip(Effect.scoped(claimFile(directory)))
    assert.include(error.message, directory)
  }).pipe(Effect.scoped)
)
