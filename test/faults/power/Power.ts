import { DatabaseSync } from "@photostructure/sqlite"
import { Effect, Exit, Layer, Cause, Chunk } from "effect"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RowStore } from "../../../src/layers/embedded/store/RowStore.ts"
import { layerSqlite } from "../../../src/layers/embedded/store/sqlite/SqliteRowStore.ts"
import { layerStoredConversations } from "../../../src/layers/embedded/store/StoredConversations.ts"
import { WorkspaceStore } from "../../../src/layers/embedded/store/WorkspaceStore.ts"
import { discard } from "../../support/Secrets.ts"
import { brokenReferences, readStore } from "../crash/StoreCopy.ts"
import type { Say } from "../Figures.ts"
import { Seeded } from "../Seeded.ts"
import { damaged, type Files, isSeldom, type State, stateBetween } from "./States.ts"
import { type Acknowledged, makeWorkload } from "./Workload.ts"

export interface PowerOptions {
  readonly states: number
  readonly seed: number
  readonly say: Say
}

export interface PowerFindings {
  /** States that were read as something else than one of the two commits around them, or not at all. */
  readonly wrong: ReadonlyArray<string>
  /** How many states had the commit under way, and how many had not. */
  readonly committed: number
  readonly uncommitted: number
  /** How many were made of unsynced writes to the database itself, and to a WAL that began anew. */
  readonly checkpoints: number
  readonly newWals: number
  /** How many damaged files were refused; the others had what was in them all the same. */
  readonly refused: number
}

const read = (file: string): Buffer => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0))
const filesOf = (store: string): Files => ({ db: read(store), wal: read(`${store}-wal`) })

/** All rows of all tables. */
const rowsOf = (file: string): string => {
  const database = new DatabaseSync(file)
  try {
    const lines: Array<string> = []
    const names = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .all() as unknown as ReadonlyArray<{ readonly name: string }>
    for (const { name } of names) {
      lines.push(name)
      for (const row of database.prepare(`SELECT * FROM ${name} ORDER BY 1`).iterate()) lines.push(JSON.stringify(row))
    }
    return lines.join("\n")
  } finally {
    database.close()
  }
}

/** Two stores with the same have the same in them. */
const contentOf = (rows: string): string => createHash("sha256").update(rows).digest("hex")

/** A moment at which all was synced, and what the store held then. */
interface Moment extends Files {
  readonly content: string
}

/** How many agents it holds, opened as the product does, or why it cannot be. */
const opened = async (file: string): Promise<number | string> => {
  const exit = await Effect.runPromiseExit(
    Effect.flatMap(WorkspaceStore, ({ list }) => list).pipe(
      Effect.provide(Layer.provide(WorkspaceStore.layer, layerSqlite(file)))
    )
  )
  if (Exit.isSuccess(exit)) return exit.value.length
  return Chunk.join(
    Chunk.map(Cause.failures(exit.cause), ({ message }) => message),
    "; "
  )
}

class Judge {
  readonly wrong: Array<string> = []
  committed = 0
  uncommitted = 0
  checkpoints = 0
  newWals = 0
  refused = 0
  readonly #directory: string
  readonly #seeded: Seeded

  constructor(directory: string, seeded: Seeded) {
    this.#directory = directory
    this.#seeded = seeded
  }

  #write(name: string, { db, wal }: Files): string {
    const file = join(this.#directory, name)
    for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true })
    writeFileSync(file, db)
    writeFileSync(`${file}-wal`, wal)
    return file
  }

  moment(files: Files, acknowledged: ReadonlyArray<string>): Moment {
    const file = this.#write("moment.db", files)
    const rows = rowsOf(file)
    const copy = readStore(file)
    this.wrong.push(...copy.problems, ...brokenReferences(copy))
    this.wrong.push(...acknowledged.filter((text) => !rows.includes(text)).map((text) => `lost: ${text}`))
    return { ...files, content: contentOf(rows) }
  }

  /** Opens a state as the next supervisor would, and looks what is in it. */
  async judge(state: State, before: Moment, after: Moment): Promise<void> {
    const file = this.#write("state.db", state)
    // What it says is of a memory that is gone: it may hold anything.
    if (this.#seeded.chance(0.5)) writeFileSync(`${file}-shm`, Buffer.alloc(32_768, this.#seeded.below(256)))
    const found = await opened(file)
    if (typeof found === "string") return void this.wrong.push(`${state.how}: not opened: ${found}`)
    const content = contentOf(rowsOf(file))
    if (content === after.content) this.committed++
    else if (content === before.content && !state.isCommitted) this.uncommitted++
    else this.wrong.push(`${state.how}: it holds what was never committed, or less than was acknowledged`)
    if (state.isCommitted) this.checkpoints++
    if (state.how.includes("header")) this.newWals++
  }

  /** What is damaged is refused, with its reason, and stays as it is; or it is read: never is it taken for a new one. */
  async judgeDamage(whole: Files): Promise<void> {
    const expected = await opened(this.#write("whole.db", whole))
    const { how, ...files } = damaged(whole, this.#seeded)
    const file = this.#write("damaged.db", files)
    const found = await opened(file)
    if (typeof found === "number") {
      if (found !== expected) this.wrong.push(`${how}: ${found} agents instead of ${expected}`)
      return
    }
    this.refused++
    const { db, wal } = filesOf(file)
    if (!found.includes(file)) this.wrong.push(`${how}: refused without its name: ${found}`)
    if (!db.equals(files.db) || !wal.equals(files.wal)) this.wrong.push(`${how}: refused and changed: ${found}`)
  }
}

/** The store as a supervisor has it, with somebody who is told of each commit, when it is on the disk and before the next. */
const recorded = (file: string, onCommit: () => void) =>
  Layer.provideMerge(
    Layer.merge(WorkspaceStore.layer, layerStoredConversations),
    Layer.effect(
      RowStore,
      Effect.gen(function* () {
        const store = yield* RowStore
        const oneAtATime = yield* Effect.makeSemaphore(1)
        return RowStore.of({
          ...store,
          transaction: (operation, step) =>
            Effect.tap(store.transaction(operation, step), () => Effect.sync(onCommit)).pipe(oneAtATime.withPermits(1))
        })
      })
    ).pipe(Layer.provide(layerSqlite(file)))
  )

/** It goes on until so much is wrong. */
const mostWrong = 20
/** Of about so many commits states are made. */
const commits = 300
/** To such a share of the states comes a damaged file. */
const damage = 0.1
/** At least so many of each that is followed by a checkpoint, or has the WAL begin anew, which is seldom. */
const statesOfCheckpoint = 8

/**
 * Drops unsynced writes of a store at every commit of a workload, in ways that a disk may, and looks whether the next
 * supervisor finds one of the two commits around it, whole.
 */
export const power = async ({ say, seed, states }: PowerOptions): Promise<PowerFindings> => {
  say(`power: ${states} states, seed ${seed}`)
  const directory = mkdtempSync(join(tmpdir(), "fleet-power-"))
  const seeded = new Seeded(seed)
  const judge = new Judge(directory, seeded)
  const store = join(directory, "store.db")
  let made = 0
  try {
    const between: Array<readonly [Files, Files, ReadonlyArray<string>]> = []
    let last: Files | undefined
    let acknowledged: Acknowledged = () => []
    const onCommit = () => {
      const now = filesOf(store)
      if (last !== undefined && !(now.db.equals(last.db) && now.wal.equals(last.wal))) {
        between.push([last, now, acknowledged()])
      }
      last = now
    }
    const judged = async () => {
      for (const [before, after, known] of between.splice(0)) {
        const wanted = isSeldom(before, after)
          ? Math.max(statesOfCheckpoint, states / 20)
          : Math.floor(states / commits + seeded.next())
        if (wanted === 0) continue
        const one = judge.moment(before, known)
        const other = judge.moment(after, known)
        for (let index = 0; index < wanted && made < states; index++) {
          await judge.judge(stateBetween(before, after, seeded), one, other)
          if (seeded.chance(damage)) await judge.judgeDamage(after)
          made++
          if (made % 250 === 0) say(`${made} states`)
        }
      }
    }
    const isOver = () => made >= states || judge.wrong.length >= mostWrong
    await Effect.gen(function* () {
      const workload = yield* makeWorkload(seeded)
      acknowledged = workload.acknowledged
      yield* Effect.repeat(Effect.zipRight(workload.step, Effect.promise(judged)), { until: isOver })
    }).pipe(Effect.provide(recorded(store, onCommit)), Effect.runPromise)
  } finally {
    discard(directory)
  }
  const { checkpoints, committed, newWals, refused, uncommitted, wrong } = judge
  for (const one of wrong) say(`wrong: ${one}`)
  say(
    `${made} states, ${refused} damaged files refused: ${wrong.length} wrong; ${committed} with the commit under way, ${uncommitted} without it, ${checkpoints} in a checkpoint, ${newWals} in a new header of the WAL`
  )
  return { wrong, committed, uncommitted, checkpoints, newWals, refused }
}
