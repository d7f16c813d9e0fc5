import { DatabaseSync } from "@photostructure/sqlite"
import { Effect, Option, type Scope } from "effect"
import type { StoreFailed } from "../StoreFailed.ts"
import { failed, isBusy } from "./Database.ts"

/**
 * Claims a file for this process until the scope closes: false where another process has it. The claim ends with the
 * process however that ends. Nothing else may ever open the file in the process that holds it, for POSIX locks end with
 * any close of their file (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export const claimFile = (file: string): Effect.Effect<boolean, StoreFailed, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.try({
        try: () => {
          const database = new DatabaseSync(file, { timeout: 0 })
          try {
            database.exec("PRAGMA busy_timeout=0; BEGIN EXCLUSIVE")
            return Option.some(database)
          } catch (error) {
            database.close()
            if (isBusy(error)) return Option.none()
            throw error
          }
        },
        catch: (error) => failed("lock", file, error)
      }),
      (held) => Effect.sync(() => Option.getOrUndefined(held)?.close())
    ),
    Option.isSome
  )
