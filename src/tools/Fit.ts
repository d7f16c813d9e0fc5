import type { DateTime } from "effect"
import { byteLength, cut, headAndTail, printable, withoutControls } from "../schemas/Text.ts"
import type { AnswerLimits } from "./AnswerLimits.ts"

/** The limits of an answer. */
type Limits = typeof AnswerLimits.Service

/** When and in which space an answer is written. */
export interface View {
  readonly now: DateTime.Utc
  readonly limits: Limits
}

/**
 * The largest whole number from `least` to `most` that fits, found by halving; `least` where none does. What fits at a
 * number must fit at every smaller one.
 */
export const largest = (least: number, most: number, fits: (size: number) => boolean): number => {
  let [low, high] = [least, Math.max(least, most)]
  // Nearly always all of it does.
  if (fits(high)) return high
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** Whether an answer is within its limits. */
export const within = (limits: Limits, structured: object, text: string): boolean =>
  text.length <= limits.text && byteLength(JSON.stringify(structured)) <= limits.structured

/** Longest texts of lists (characters). */
export const longest = { description: 300, note: 1500 }

/** Where a list goes on after what is shown of it; null at its end. */
export const nextOffset = (offset: number, shown: number, total: number): number | null =>
  offset + shown < total ? offset + shown : null

/** As many entries of a list as fit into an answer, one at least; `withFirst` makes the answer of so many. */
export const list = <A extends object>(
  length: number,
  view: View,
  text: (answer: A, view: View) => string,
  withFirst: (count: number) => A
): A => {
  const fits = (count: number) => within(view.limits, withFirst(count), text(withFirst(count), view))
  return withFirst(largest(Math.min(1, length), length, fits))
}

/** An answer whose texts have as much room each as fits (characters); `withRoom` makes the answer with so much. */
export const texts = <A extends object>(
  view: View,
  text: (answer: A, view: View) => string,
  withRoom: (room: number) => A
): A => {
  const fits = (room: number) => within(view.limits, withRoom(room), text(withRoom(room), view))
  return withRoom(largest(0, view.limits.text, fits))
}

/** A value with every text in it changed, its keys and its shape kept. */
const mapTexts = (value: unknown, change: (text: string) => string): unknown => {
  if (typeof value === "string") return change(value)
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change))
  return typeof value === "object" && value !== null ? mapKeys(value, change) : value
}

const mapKeys = (value: object, change: (text: string) => string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mapTexts(inner, change)]))

/** A text at most so long, its end kept: errors say there what to do. */
export const text = (whole: string, limit: number): string =>
  headAndTail(printable(whole), limit, (from, to) => `\n[${to - from} characters left out]\n`)

/**
 * Structured content at most so large (bytes of JSON): its longest texts are cut first, then its lists. The last resort:
 * tools cut what they show by themselves, and tell.
 */
export const structured = (whole: Readonly<Record<string, unknown>>, limit: number): Record<string, unknown> => {
  const fits = (value: object) => byteLength(JSON.stringify(value)) <= limit
  const clean = mapKeys(whole, printable)
  if (fits(clean)) return clean
  const withTexts = (length: number) => mapKeys(clean, (each) => cut(each, length))
  const short = withTexts(largest(0, limit, (length) => fits(withTexts(length))))
  if (fits(short)) return short
  const withItems = (count: number) =>
    Object.fromEntries(
      Object.entries(short).map(([key, value]) => [key, Array.isArray(value) ? value.slice(0, count) : value])
    )
  return withItems(largest(0, limit, (count) => fits(withItems(count))))
}

/** What `encoded` holds, as it is shown: every text of others without controls and well-formed. */
export const clean = <A extends object>(encoded: A): A => {
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner === "string") Reflect.set(value, key, withoutControls(inner))
      else walk(inner)
    }
  }
  const copy = structuredClone(encoded)
  walk(copy)
  return copy
}
