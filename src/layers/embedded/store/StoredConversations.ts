import { Clock, Context, DateTime, Duration, Effect, Either, Layer, Option } from "effect"
import { byteLength } from "../../../schemas/Text.ts"
import type { Conversation, TurnBegin, TurnState } from "../../agenthost/Conversation.ts"
import { ConversationStore } from "../../agenthost/ConversationStore.ts"
import { HostLimits } from "../../agenthost/HostLimits.ts"
import { KeyTaken } from "../../agenthost/TaskQueue.ts"
import { statusMessage } from "../../agenthost/StatusReporter.ts"
import { makeTranscript, type Transcript, type TranscriptChange } from "../../agenthost/Transcript.ts"
import { useKey } from "./KeyRows.ts"
import { firstTask, letGo, removeQueue, removeTask } from "./QueueRows.ts"
import { keepTurns } from "./Retention.ts"
import type { TurnRow } from "./Rows.ts"
import { RowStore } from "./RowStore.ts"
import { notStored, storedQueue } from "./StoredQueue.ts"
import { StoreLimits } from "./StoreLimits.ts"
import { logStoreFailed, retryStore } from "./StoreRetry.ts"
import type { Rows } from "./Tables.ts"
import { readTranscript, removeTranscript, writeTranscript } from "./TranscriptRows.ts"

/** How the output of agents is stored. */
export class TranscriptLimits extends Context.Reference<TranscriptLimits>()(
  "fleet-mcp/layers/embedded/store/StoredConversations/TranscriptLimits",
  {
    defaultValue: () => ({
      /** Output of all agents is stored together, so often: as much may be lost when this process is killed. */
      interval: Duration.millis(500),
      /** About so many characters are stored in one commit; whoever waits for the store comes in between. */
      commit: 1024 * 1024,
      /** How often it is noted, and thereby told, that a turn has said more. */
      outputMark: Duration.seconds(30),
      /** Until output that could not be stored is tried again. */
      retry: Duration.seconds(5)
    })
  }
) {}

/** A conversation that is open. */
interface Open {
  readonly workspaceId: string
  readonly transcript: Transcript
  /** The newest turn; its row is stored unless `turnChanged`. */
  turn: TurnRow | undefined
  turnChanged: boolean
  outputBytes: number
  isDiscarded: boolean
  /** How many have it open. */
  users: number
}

interface Batch {
  readonly open: Open
  readonly change: TranscriptChange | undefined
  readonly turn: TurnRow | undefined
}

const batchOf = (open: Open): Batch => ({
  open,
  change: open.transcript.pending(),
  turn: open.turnChanged ? open.turn : undefined
})

const lengthOf = ({ change }: Batch): number => (change?.parts ?? []).reduce((sum, { text }) => sum + text.length, 0)

const write = (rows: Rows, { change, open: { workspaceId }, turn }: Batch): void => {
  if (change !== undefined) writeTranscript(rows, workspaceId, change)
  if (turn !== undefined) rows.turns.put(turn)
}

const confirm = ({ change, open, turn }: Batch): void => {
  if (change !== undefined) open.transcript.stored(change)
  if (turn === open.turn) open.turnChanged = false
}

/**
 * Conversations as rows. A prompt is stored before it is acknowledged, and with it that its turn has begun; the end of a
 * turn is stored with all that was said before it; output is stored at intervals, for all agents together.
 */
export const layerStoredConversations: Layer.Layer<ConversationStore, never, RowStore> = Layer.scoped(
  ConversationStore,
  Effect.gen(function* () {
    const store = yield* RowStore
    const limits = yield* TranscriptLimits
    const hostLimits = yield* HostLimits
    const storeLimits = yield* StoreLimits
    const all = new Map<string, { readonly open: Open; readonly conversation: Conversation }>()
    const unstored = new Set<Open>()
    const hasOutput = yield* Effect.makeLatch(false)
    const oneAtATime = yield* Effect.makeSemaphore(1)
    let isFailing = false

    const isoNow = Effect.map(DateTime.now, DateTime.formatIso)

    const changed = (open: Open) => {
      if (open.isDiscarded) return
      unstored.add(open)
      hasOutput.unsafeOpen()
    }

    const noteOutput = (now: number) => (open: Open) => {
      const { outputBytes, turn } = open
      if (turn === undefined || turn.ended !== null || outputBytes === turn.output.bytes) return
      if (now - Date.parse(turn.output.at) < Duration.toMillis(limits.outputMark)) return
      const at = DateTime.formatIso(DateTime.unsafeMake(now))
      open.turn = { ...turn, output: { bytes: outputBytes, at } }
      open.turnChanged = true
    }

    /** Nobody needs it here, unless some of it is nowhere else. */
    const forget = (open: Open) =>
      Effect.suspend(() => {
        if (open.users > 0 || unstored.has(open) || open.isDiscarded) return Effect.void
        all.delete(open.workspaceId)
        return store.release(open.workspaceId)
      })

    /** Stores what is pending, of as many conversations as fit into a commit; answers whether there are more. */
    const storeSome = Effect.fn("ConversationStore.storeSome")(function* (operation: string, opens: Iterable<Open>) {
      const batches: Array<Batch> = []
      let length = 0
      let isAll = true
      for (const open of opens) {
        isAll = length < limits.commit
        if (!isAll) break
        const batch = batchOf(open)
        batches.push(batch)
        length += lengthOf(batch)
      }
      yield* store.transaction(operation, (rows) => {
        for (const batch of batches) write(rows, batch)
        return Either.void
      })
      for (const batch of batches) {
        confirm(batch)
        const { open } = batch
        if (open.transcript.isStored() && !open.turnChanged) unstored.delete(open)
        yield* forget(open)
      }
      return isAll
    }, oneAtATime.withPermits(1))

    const storeAll = Effect.gen(function* () {
      for (const open of unstored) noteOutput(yield* Clock.currentTimeMillis)(open)
      yield* Effect.repeat(storeSome("storeOutput", unstored), { until: (isAll) => isAll })
      if (isFailing) yield* Effect.logInfo("Output of agents is stored again")
      isFailing = false
      return limits.interval
    }).pipe(
      Effect.catchTag("StoreFailed", (error) =>
        Effect.suspend(() => {
          const log = isFailing ? Effect.void : logStoreFailed(error)
          isFailing = true
          hasOutput.unsafeOpen()
          return Effect.as(log, limits.retry)
        })
      )
    )

    // What is left when everything ends; it begins after the fiber below has ended.
    yield* Effect.addFinalizer(() => storeAll)
    yield* Effect.gen(function* () {
      let wait = limits.interval
      for (;;) {
        yield* hasOutput.await
        yield* Effect.sleep(wait)
        hasOutput.unsafeClose()
        wait = yield* Effect.uninterruptible(storeAll)
      }
    }).pipe(Effect.forkScoped)

    /** Begins a turn, with what else is stored in the same commit; where that answers a `Left`, nothing is. */
    const begin = <E>(open: Open, prompt: string, also: (rows: Rows, now: string) => Either.Either<void, E>) =>
      Effect.gen(function* () {
        const { transcript, workspaceId } = open
        const now = yield* isoNow
        const draft = transcript.draft(now, [
          { role: "user", content: prompt },
          { role: "agent", content: "" }
        ])
        const turn: TurnRow = {
          workspace_id: workspaceId,
          message_id: draft.firstId,
          task: statusMessage(prompt),
          begun_at: now,
          output: { bytes: 0, at: now },
          ended: null
        }
        const last = open.turn
        // One that nobody has ended runs no more: an agent works on one turn at a time.
        const before: TurnRow | undefined =
          last?.ended === null ? { ...last, ended: { at: now, state: "interrupted" } } : batchOf(open).turn
        yield* store.transaction("beginTurn", (rows) => {
          write(rows, { open, change: draft.change, turn: before })
          rows.turns.put(turn)
          keepTurns(rows, workspaceId, storeLimits.turns)
          return also(rows, now)
        })
        draft.accept()
        transcript.stored(draft.change)
        open.turn = turn
        open.turnChanged = false
        open.outputBytes = 0
        unstored.delete(open)
      })

    const beginTurn = (open: Open) =>
      Effect.fn("Conversation.beginTurn")(
        function* (prompt: string, { goesOn = false, key }: TurnBegin = {}) {
          yield* begin(open, prompt, (rows, now): Either.Either<void, KeyTaken> => {
            if (goesOn) letGo(rows, open.workspaceId)
            const use = {
              workspace_id: open.workspaceId,
              build_numbers: [],
              task: { state: "started", id: null }
            } as const
            return key === undefined || useKey(rows, key, use, now, storeLimits)
              ? Either.void
              : Either.left(new KeyTaken({ key: key.key }))
          }).pipe(Effect.catchTag("StoreFailed", notStored))
        },
        Effect.uninterruptible,
        oneAtATime.withPermits(1)
      )

    const beginNext = Effect.fn("Conversation.beginNext")(
      function* (open: Open) {
        const first = yield* store.read("beginNext", (rows) => firstTask(rows, open.workspaceId))
        if (Option.isNone(first)) return first
        yield* begin(open, first.value.text, (rows) => {
          removeTask(rows, open.workspaceId, first.value.id)
          return Either.void
        })
        return first
      },
      Effect.catchTag("StoreFailed", notStored),
      Effect.uninterruptible,
      oneAtATime.withPermits(1)
    )

    const endTurn = (open: Open) =>
      Effect.fn("Conversation.endTurn")(function* (state: TurnState, lastLine?: string) {
        const at = yield* isoNow
        const { transcript, turn } = open
        if (lastLine !== undefined) transcript.close(lastLine)
        if (turn !== undefined && turn.ended === null) {
          open.turn = { ...turn, output: { bytes: open.outputBytes, at }, ended: { at, state } }
          open.turnChanged = true
        }
        changed(open)
        if (open.isDiscarded) return
        // Where the store goes on failing, it is tried again with the output that comes later.
        yield* Effect.catchTag(retryStore(storeSome("endTurn", [open])), "StoreFailed", logStoreFailed)
      }, Effect.uninterruptible)

    const conversationOf = (open: Open): Conversation => ({
      messages: Effect.sync(open.transcript.messages),
      isEmpty: Effect.sync(open.transcript.isEmpty),
      greet: (text) =>
        Effect.map(isoNow, (now) => {
          open.transcript.draft(now, [{ role: "agent", content: text }]).accept()
          changed(open)
        }),
      beginTurn: beginTurn(open),
      beginNext: beginNext(open),
      queue: storedQueue(store, open.workspaceId, storeLimits),
      extend: (output) =>
        Effect.sync(() => {
          open.transcript.extend(output)
          open.outputBytes += byteLength(output)
          changed(open)
        }),
      endTurn: endTurn(open),
      close: Effect.suspend(() => {
        open.users--
        if (open.isDiscarded) return Effect.void
        // Where the store fails, it is forgotten when it has been stored.
        return Effect.catchTag(storeSome("closeConversation", [open]), "StoreFailed", logStoreFailed)
      }).pipe(Effect.uninterruptible)
    })

    return {
      open: Effect.fn("ConversationStore.open")(
        function* (workspaceId: string) {
          const before = all.get(workspaceId)
          if (before !== undefined) {
            before.open.users++
            return before.conversation
          }
          const open = yield* store.read("openConversation", (rows): Open => {
            const [turn] = rows.turns.select("workspace", workspaceId, { last: 1 })
            return {
              workspaceId,
              transcript: makeTranscript(hostLimits, readTranscript(rows, workspaceId)),
              turn,
              turnChanged: false,
              outputBytes: turn?.output.bytes ?? 0,
              isDiscarded: false,
              users: 1
            }
          })
          const conversation = conversationOf(open)
          all.set(workspaceId, { open, conversation })
          return conversation
        },
        Effect.mapError(notStored),
        oneAtATime.withPermits(1)
      ),
      discard: Effect.fn("ConversationStore.discard")(
        function* (workspaceId: string) {
          yield* store.transaction("discardConversation", (rows) => {
            removeTranscript(rows, workspaceId)
            removeQueue(rows, workspaceId)
            return Either.void
          })
          yield* store.release(workspaceId)
          const open = all.get(workspaceId)?.open
          if (open === undefined) return
          open.isDiscarded = true
          unstored.delete(open)
          all.delete(workspaceId)
        },
        Effect.uninterruptible,
        Effect.mapError(notStored),
        oneAtATime.withPermits(1)
      )
    }
  })
)
