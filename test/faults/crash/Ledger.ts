import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** What a supervisor has acknowledged, or shown to have ended. */
export type Entry =
  | { readonly what: "created"; readonly agent: string; readonly task: string }
  | { readonly what: "task"; readonly agent: string; readonly task: string }
  /** A build was taken. */
  | { readonly what: "stop" | "start" | "delete"; readonly agent: string; readonly build: string | undefined }
  /** It was seen at its end. */
  | { readonly what: "stopped"; readonly agent: string; readonly build: string }
  | { readonly what: "deleted"; readonly agent: string }

/**
 * The acknowledgements of all supervisors of a state directory, in a file outside of it that this process writes; and the
 * file to which each task writes its own name when it begins.
 */
export class Ledger {
  readonly #file: string
  readonly #noted = new Set<string>()
  readonly runs: string
  readonly entries: Array<Entry> = []
  /** Names of agents that were created and of which nobody has asked that they be deleted. */
  readonly kept = new Set<string>()
  /** Names of those that somebody has asked to be deleted. */
  readonly deleting = new Set<string>()
  #tasks = 0
  #agents = 0

  constructor(directory: string) {
    this.#file = join(directory, "acknowledged.jsonl")
    this.runs = join(directory, "runs")
  }

  nextTask(): string {
    return `T${++this.#tasks}.`
  }

  nextAgent(): string {
    return `agent-${++this.#agents}`
  }

  /** What is noted already is not noted again. */
  note(entry: Entry): void {
    const line = `${JSON.stringify(entry)}\n`
    if (this.#noted.has(line)) return
    this.#noted.add(line)
    appendFileSync(this.#file, line)
    this.entries.push(entry)
    if (entry.what === "created" && !this.deleting.has(entry.agent)) this.kept.add(entry.agent)
    if (entry.what === "delete" || entry.what === "deleted") this.wantDeleted(entry.agent)
  }

  /** From before it is asked for: whether that arrives nobody may ever know. */
  wantDeleted(agent: string): void {
    this.deleting.add(agent)
    this.kept.delete(agent)
  }

  /** How often each task has begun to run. */
  begun(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    if (!existsSync(this.runs)) return counts
    for (const task of readFileSync(this.runs, "utf8").split("\n")) {
      if (task !== "") counts.set(task, (counts.get(task) ?? 0) + 1)
    }
    return counts
  }

  count(what: Entry["what"]): number {
    return this.entries.filter((entry) => entry.what === what).length
  }
}
