import { randomInt } from "node:crypto"

/** Numbers by chance that a seed repeats (mulberry32). */
export class Seeded {
  readonly seed: number
  #state: number

  constructor(seed: number) {
    this.seed = seed
    this.#state = seed >>> 0
  }

  /** From 0, and below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d_2b_79_f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0, and below `limit`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** One of them; none of none. */
  pick<A>(all: ReadonlyArray<A>): A | undefined {
    return all[this.below(all.length)]
  }

  /** Of pairs of a value and its weight. */
  weighted<A>(all: ReadonlyArray<readonly [value: A, weight: number]>): A {
    let left = this.next() * all.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [value, weight] of all) {
      left -= weight
      if (left < 0) return value
    }
    throw new Error("nothing to choose from")
  }
}

/** A seed that was not given. */
export const anySeed = (): number => randomInt(2 ** 32)
