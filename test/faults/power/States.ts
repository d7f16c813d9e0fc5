import type { Seeded } from "../Seeded.ts"

/** What is on the disk of a store. */
export interface Files {
  readonly db: Buffer
  readonly wal: Buffer
}

/** What the disk may hold after power was lost, and which of two commits may be read from it. */
export interface State extends Files {
  readonly how: string
  /** Whether the commit that was under way must be there: it had been synced. */
  readonly isCommitted: boolean
}

/** A disk writes so many bytes whole or not at all. */
const sector = 512
/** The header of a WAL (https://sqlite.org/fileformat2.html#the_write_ahead_log). */
const walHeader = 32

/** The beginnings of the sectors in which two contents of a file differ. */
const changed = (before: Buffer, after: Buffer): ReadonlyArray<number> => {
  const starts: Array<number> = []
  for (let start = 0; start < Math.max(before.length, after.length); start += sector) {
    const [one, other] = [before.subarray(start, start + sector), after.subarray(start, start + sector)]
    if (!one.equals(other)) starts.push(start)
  }
  return starts
}

/** A file of which some of the unsynced writes have arrived: each whole, not at all, in part, or as what it never was. */
const partly = (before: Buffer, after: Buffer, writes: ReadonlyArray<number>, seeded: Seeded): Buffer => {
  const result = Buffer.alloc(Math.max(before.length, after.length))
  before.copy(result)
  const share = seeded.pick([0, 0.1, 0.5, 0.9, 0.99, 1]) ?? 0
  let end = before.length
  for (const start of writes) {
    if (!seeded.chance(share)) continue
    const bytes = Buffer.from(after.subarray(start, start + sector))
    if (seeded.chance(0.02)) {
      // What was synced in the same sector stays: SQLite counts on that (https://sqlite.org/psow.html).
      const first = bytes.findIndex((byte, at) => byte !== before[start + at])
      for (let at = first; at < bytes.length; at++) bytes[at] = seeded.below(256)
    }
    const length = seeded.chance(0.02) ? seeded.below(bytes.length) : bytes.length
    bytes.copy(result, start, 0, length)
    end = Math.max(end, start + length)
  }
  // How long the file is may be known to the disk before what stands in it, and the other way round.
  return result.subarray(0, seeded.chance(0.3) ? result.length : end)
}

/** Whether there was more than frames written to the WAL: a checkpoint, or a WAL that began anew. */
export const isSeldom = (before: Files, after: Files): boolean =>
  !before.db.equals(after.db) || !before.wal.subarray(0, walHeader).equals(after.wal.subarray(0, walHeader))

const cut = (before: Buffer, after: Buffer, seeded: Seeded): Buffer =>
  after.subarray(0, before.length + seeded.below(Math.max(1, after.length - before.length)))

/**
 * A state between two moments at each of which all was synced, with one commit in between. It follows what SQLite does in
 * WAL mode with `synchronous=FULL` (https://sqlite.org/wal.html, https://sqlite.org/atomiccommit.html): a WAL that begins
 * anew has its header synced first; then frames are written and synced, and with that the commit is done; only then pages
 * go into the database, which is synced before the WAL is written anew.
 */
export const stateBetween = (before: Files, after: Files, seeded: Seeded): State => {
  const pages = changed(before.db, after.db)
  if (pages.length > 0 && seeded.chance(0.6)) {
    const db = partly(before.db, after.db, pages, seeded)
    return { how: `${pages.length} sectors of the database`, db, wal: after.wal, isCommitted: true }
  }
  const { db } = before
  const isNewWal = !before.wal.subarray(0, walHeader).equals(after.wal.subarray(0, walHeader))
  if (isNewWal && seeded.chance(0.3)) {
    const wal = Buffer.from(before.wal)
    after.wal.copy(wal, 0, 0, seeded.below(walHeader + 1))
    return { how: "the header of the WAL", db, wal, isCommitted: false }
  }
  const synced = isNewWal
    ? Buffer.concat([after.wal.subarray(0, walHeader), before.wal.subarray(walHeader)])
    : before.wal
  const frames = changed(synced, after.wal)
  const wal =
    seeded.chance(0.3) && after.wal.length > synced.length
      ? cut(synced, after.wal, seeded)
      : partly(synced, after.wal, frames, seeded)
  return { how: `${frames.length} sectors of the WAL`, db, wal, isCommitted: false }
}

/** What no loss of power does: a database that is empty, cut off, or has a page of zeros or of anything. */
export const damaged = ({ db, wal }: Files, seeded: Seeded): Files & { readonly how: string } => {
  const result = Buffer.from(db)
  const how = seeded.pick(["emptied", "cut off", "a page of zeros", "a page of anything"] as const) ?? "emptied"
  if (how === "emptied") return { how, db: Buffer.alloc(0), wal }
  if (how === "cut off") return { how, db: result.subarray(0, seeded.below(db.length)), wal }
  const page = seeded.below(Math.ceil(db.length / 4096)) * 4096
  for (let at = page; at < Math.min(page + 4096, db.length); at++) {
    result[at] = how === "a page of zeros" ? 0 : seeded.below(256)
  }
  return { how, db: result, wal }
}
