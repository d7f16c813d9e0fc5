import { Data, Duration, Effect, Predicate, Record } from "effect"
import { runHelper } from "../../layers/agenthost/process/Helper.ts"
import { printable } from "../../schemas/Text.ts"
import type { Environment } from "../Settings.ts"

/** How long systemd is waited for: as long as the end of a supervisor may take, and some more. */
const longest = Duration.seconds(40)

/** Bytes of what it may say. */
const outputLimit = 64 * 1024

/** The user's systemd was not reached, or did not do what it was asked. */
export class SystemctlFailed extends Data.TaggedError("SystemctlFailed")<{ readonly reason: string }> {}

/** Asks the user's own systemd, and answers what it says. */
export const systemctl = (
  environment: Environment,
  ...args: ReadonlyArray<string>
): Effect.Effect<string, SystemctlFailed> =>
  runHelper({
    command: ["systemctl", "--user", ...args],
    environment: Record.filter(environment, Predicate.isNotUndefined),
    outputLimit
  }).pipe(
    Effect.mapError((error) => new SystemctlFailed({ reason: error.message })),
    Effect.filterOrFail(
      ({ code }) => code === 0,
      ({ code, signal, stderr }) =>
        new SystemctlFailed({ reason: printable(stderr).trim() || `it ended with ${signal ?? `exit code ${code}`}` })
    ),
    Effect.map(({ stdout }) => stdout.trim()),
    Effect.timeoutFail({
      duration: longest,
      onTimeout: () => new SystemctlFailed({ reason: `nothing came within ${Duration.format(longest)}` })
    })
  )
