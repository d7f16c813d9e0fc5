import { Option, Order, Record, RedBlackTree } from "effect"
import { ownerOf, type RowChange, type Table, type TextWriting } from "./Tables.ts"

/** A table in this process. */
export interface MemoryTable<Row, Index extends string> extends TextWriting<Row, Index> {
  /** A transaction begins: what comes from here on can be rolled back. It costs nothing. */
  readonly checkpoint: () => void
  /** Puts back what was there at the last checkpoint. */
  readonly rollback: () => void
  /** Holds the rows of a workspace no longer, where they can be loaded again. Never within a transaction. */
  readonly release: (workspaceId: string) => void
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

/** A map that can be put back: it notes what was there before each change. */
const journaledMap = <Value>() => {
  const values = new Map<string, Value>()
  let before: Array<readonly [string, Value | undefined]> = []
  const change = (key: string, value: Value | undefined) => {
    if (value === undefined) values.delete(key)
    else values.set(key, value)
  }
  return {
    get: (key: string) => values.get(key),
    /** As if it had been there from the beginning. */
    place: (key: string, value: Value) => void values.set(key, value),
    /** As if it had never been there. */
    forget: (key: string) => void values.delete(key),
    /** `undefined` removes. */
    set: (key: string, value: Value | undefined) => {
      before.push([key, values.get(key)])
      change(key, value)
    },
    checkpoint: () => {
      if (before.length > 0) before = []
    },
    rollback: () => {
      for (const [key, value] of before.toReversed()) change(key, value)
      before = []
    }
  }
}

/** An index: what it selects by, and the rows of each value. */
interface Buckets<Row> {
  readonly valueOf: (row: Row) => string | null
  readonly buckets: ReturnType<typeof journaledMap<Bucket<Row>>>
}

/** Where the rows of a table come from that were put before there was this process. */
interface Origin<Row> {
  /** Those that are held from the beginning. Default: none. */
  readonly rows?: Iterable<Row> | undefined
  /** Answers those of a workspace when they are first asked for, once for each; it may throw. Default: nothing more comes. */
  readonly load?: ((workspaceId: string) => Iterable<Row>) | undefined
}

/**
 * A table of maps: changing a row costs O(log n) in the rows of the same index value, and nothing is copied for a
 * transaction. `onChange` hears of each change first, and may refuse it by throwing.
 */
export const memoryTable = <Name extends string, Row, Index extends string>(
  table: Table<Name, Row, Index>,
  onChange: (change: RowChange<Name, Row> | { readonly table: Name; readonly owner: string }) => void,
  { load, rows: held = [] }: Origin<Row> = {}
): MemoryTable<Row, Index> => {
  const indexes = Record.map(table.indexes, (valueOf) => ({ valueOf, buckets: journaledMap<Bucket<Row>>() }))
  const all = Record.values(indexes)
  const nothing = RedBlackTree.empty<number, Row>(Order.number)
  const rows = journaledMap<Placed<Row>>()
  let places = 0
  const loaded = journaledMap<true>()

  /** Takes in a row as if it had been there from the beginning. */
  const hold = (row: Row) => {
    const placed = { place: ++places, row }
    rows.place(table.key(row), placed)
    for (const { buckets, valueOf } of all) {
      const value = valueOf(row)
      if (value === null) continue
      const tree = RedBlackTree.insert(buckets.get(value)?.tree ?? nothing, placed.place, row)
      buckets.place(value, bucketOf(tree))
    }
  }
  for (const row of held) hold(row)

  const holdOf = (workspaceId: string) => {
    if (load === undefined || loaded.get(workspaceId) === true) return
    const found = [...load(workspaceId)]
    loaded.place(workspaceId, true)
    for (const row of found) hold(row)
  }

  const holdOwner = (key: string) => {
    if (load !== undefined) holdOf(ownerOf(key))
  }

  const leave = ({ buckets, valueOf }: Buckets<Row>, { place, row }: Placed<Row>) => {
    const value = valueOf(row)
    const bucket = value === null ? undefined : buckets.get(value)
    if (value === null || bucket === undefined) return
    const tree = RedBlackTree.removeFirst(bucket.tree, place)
    buckets.set(value, RedBlackTree.size(tree) === 0 ? undefined : bucketOf(tree))
  }

  const join = ({ buckets, valueOf }: Buckets<Row>, { place, row }: Placed<Row>) => {
    const value = valueOf(row)
    if (value === null) return
    buckets.set(value, bucketOf(RedBlackTree.insert(buckets.get(value)?.tree ?? nothing, place, row)))
  }

  return {
    get: (key) => {
      holdOwner(key)
      return Option.map(Option.fromNullable(rows.get(key)), ({ row }) => row)
    },
    select: (index, value, range) => {
      holdOf(value)
      const bucket = indexes[index].buckets.get(value)
      if (bucket === undefined) return []
      if (range === undefined) return bucket.all()
      if ("first" in range) return taken(bucket.tree, range.first)
      return bucket.all().slice(Math.max(0, RedBlackTree.size(bucket.tree) - range.last))
    },
    count: (index, value) => {
      holdOf(value)
      const bucket = indexes[index].buckets.get(value)
      return bucket === undefined ? 0 : RedBlackTree.size(bucket.tree)
    },
    put: (row) => {
      const key = table.key(row)
      holdOwner(key)
      onChange({ table: table.name, key, row: Option.some(row) })
      const before = rows.get(key)
      const placed = { place: before?.place ?? ++places, row }
      rows.set(key, placed)
      for (const index of all) {
        if (before !== undefined) leave(index, before)
        join(index, placed)
      }
    },
    remove: (key) => {
      holdOwner(key)
      const before = rows.get(key)
      if (before === undefined) return
      onChange({ table: table.name, key, row: Option.none() })
      rows.set(key, undefined)
      for (const index of all) leave(index, before)
    },
    removeOf: (workspaceId) => {
      onChange({ table: table.name, owner: workspaceId })
      for (const row of all.flatMap(({ buckets }) => buckets.get(workspaceId)?.all() ?? [])) {
        const key = table.key(row)
        const before = rows.get(key)
        if (before === undefined) continue
        rows.set(key, undefined)
        for (const index of all) leave(index, before)
      }
      // Nothing is left to be read.
      loaded.set(workspaceId, true)
    },
    release: (workspaceId) => {
      if (load === undefined) return
      for (const { buckets } of all) {
        for (const row of buckets.get(workspaceId)?.all() ?? []) rows.forget(table.key(row))
        buckets.forget(workspaceId)
      }
      loaded.forget(workspaceId)
    },
    checkpoint: () => {
      loaded.checkpoint()
      rows.checkpoint()
      for (const { buckets } of all) buckets.checkpoint()
    },
    rollback: () => {
      loaded.rollback()
      rows.rollback()
      for (const { buckets } of all) buckets.rollback()
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
