import { DateTime, Duration, Option } from "effect"
import type { KeyUse } from "../../../schemas/Idempotency.ts"
import type { BuildRow, KeyRow } from "./Rows.ts"
import type { StoreLimits } from "./StoreLimits.ts"
import type { ReadRows, Rows } from "./Tables.ts"

type Limits = Pick<StoreLimits["Type"], "keys" | "keyTime">

/** Whether a key has had its time. One from the future, by the clock, has not. */
const isOver = ({ used_at }: KeyRow, now: string, { keyTime }: Limits): boolean =>
  DateTime.toEpochMillis(DateTime.unsafeMake(now)) - DateTime.toEpochMillis(DateTime.unsafeMake(used_at)) >
  Duration.toMillis(keyTime)

/** What a key was used for, if it is known still. */
export const keyOf = (rows: ReadRows, key: string, now: string, limits: Limits): Option.Option<KeyRow> =>
  Option.filter(rows.keys.get(key), (row) => !isOver(row, now, limits))

/** Notes what a key is used for, unless somebody has used it: false then. The oldest keys go. */
export const useKey = (
  rows: Rows,
  { fingerprint, key }: KeyUse,
  use: Pick<KeyRow, "workspace_id" | "build_numbers" | "task">,
  now: string,
  limits: Limits
): boolean => {
  if (Option.isSome(keyOf(rows, key, now, limits))) return false
  // A place of its own: the order is that of the times.
  rows.keys.remove(key)
  rows.keys.put({ key, fingerprint, used_at: now, ...use })
  const surplus = rows.keys.count("all", "all") - Math.max(1, limits.keys)
  const oldest = rows.keys.select("all", "all", { first: Math.max(surplus, sweep) })
  for (const [index, row] of oldest.entries()) {
    if (index < surplus || isOver(row, now, limits)) rows.keys.remove(row.key)
  }
  return true
}

/** The same for a build; the key of a stop may be used once more, for the start that follows it. */
export const useForBuild = (
  rows: Rows,
  key: KeyUse,
  { build_number, workspace_id }: Pick<BuildRow, "workspace_id" | "build_number">,
  now: string,
  limits: Limits
): boolean => {
  const before = Option.getOrUndefined(keyOf(rows, key.key, now, limits))
  const isNext =
    before?.fingerprint === key.fingerprint &&
    before.workspace_id === workspace_id &&
    before.build_numbers.length === 1 &&
    before.build_numbers[0] === build_number - 1
  if (!isNext) return useKey(rows, key, { workspace_id, build_numbers: [build_number], task: null }, now, limits)
  rows.keys.put({ ...before, build_numbers: [...before.build_numbers, build_number] })
  return true
}

/** Keys that are looked at with each new one: those that have had their time go sooner than new ones come. */
const sweep = 2
