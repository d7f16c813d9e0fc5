import { HashMap, Option, Order, Record, RedBlackTree } from "effect"
import type { RowChange, Table, Writing } from "./Tables.ts"

/** A table in this process. */
export interface MemoryTable<Row, Index extends string> extends Writing<Row, Index> {
  /** Notes what the table holds now; what it answers brings that back. It costs nothing. */
  readonly checkpoint: () => () => void
}

/** A row, and when it was first put. */
interface Placed<Row> {
  readonly place: number
  readonly row: Row
}

/** The rows of one value of an index, by place. All of them in a row are written out once, when first asked for. */
interface Bucket<Row> {
  readonly tree: RedBlackTree.RedBlackTree<number, Row>
  readonly all: () => ReadonlyArray<Row>
}

const bucketOf = <Row>(tree: RedBlackTree.RedBlackTree<number, Row>): Bucket<Row> => {
  let all: ReadonlyArray<Row> | undefined
  return { tree, all: () => (all ??= [...RedBlackTree.values(tree)]) }
}

/**
 * A table of persistent maps: a change makes new ones that share what is the same, so an earlier state is kept by
 * holding on to it. Changing a row of n costs O(log n). `onChange` hears of each change first, and may refuse it by
 * throwing.
 */
export const memoryTable = <Name extends string, Row, Index extends string>(
  table: Table<Name, Row, Index>,
  onChange: (change: RowChange<Name, Row>) => void
): MemoryTable<Row, Index> => {
  const indexes = Record.toEntries(table.indexes)
  const nothing = RedBlackTree.empty<number, Row>(Order.number)
  let rows = HashMap.empty<string, Placed<Row>>()
  let buckets = HashMap.empty<string, Bucket<Row>>()
  let places = 0

  const find = (index: Index, value: string) => HashMap.get(buckets, `${index}:${value}`)

  const replace = (index: Index, value: string | null, place: number, row: Option.Option<Row>) => {
    if (value === null) return
    const before = Option.match(find(index, value), { onNone: () => nothing, onSome: ({ tree }) => tree })
    const without = RedBlackTree.removeFirst(before, place)
    const after = Option.match(row, {
      onNone: () => without,
      onSome: (some) => RedBlackTree.insert(without, place, some)
    })
    const key = `${index}:${value}`
    buckets = RedBlackTree.size(after) === 0 ? HashMap.remove(buckets, key) : HashMap.set(buckets, key, bucketOf(after))
  }

  return {
    get: (key) => Option.map(HashMap.get(rows, key), ({ row }) => row),
    select: (index, value, range) => {
      const found = find(index, value)
      if (Option.isNone(found)) return []
      const { all, tree } = found.value
      if (range === undefined) return all()
      return "first" in range ? taken(tree, range.first) : taken(RedBlackTree.reversed(tree), range.last).toReversed()
    },
    count: (index, value) =>
      Option.match(find(index, value), { onNone: () => 0, onSome: ({ tree }) => RedBlackTree.size(tree) }),
    put: (row) => {
      const key = table.key(row)
      const before = Option.getOrUndefined(HashMap.get(rows, key))
      onChange({ table: table.name, key, row: Option.some(row) })
      const place = before?.place ?? ++places
      rows = HashMap.set(rows, key, { place, row })
      for (const [index, valueOf] of indexes) {
        const value = valueOf(row)
        const old = before === undefined ? null : valueOf(before.row)
        if (old !== value) replace(index, old, place, Option.none())
        replace(index, value, place, Option.some(row))
      }
    },
    remove: (key) => {
      const before = Option.getOrUndefined(HashMap.get(rows, key))
      if (before === undefined) return
      onChange({ table: table.name, key, row: Option.none() })
      rows = HashMap.remove(rows, key)
      for (const [index, valueOf] of indexes) replace(index, valueOf(before.row), before.place, Option.none())
    },
    checkpoint: () => {
      const held = { rows, buckets }
      return () => {
        rows = held.rows
        buckets = held.buckets
      }
    }
  }
}

/** The rows of so many entries, from the beginning. */
const taken = <Row>(entries: Iterable<readonly [number, Row]>, count: number): ReadonlyArray<Row> => {
  const found: Array<Row> = []
  for (const [, row] of entries) {
    if (found.length >= count) break
    found.push(row)
  }
  return found
}
