import { Data } from "effect"

/** The rows could not be read or changed, and are as they were. */
export class StoreFailed extends Data.TaggedError("StoreFailed")<{
  /** What was to be done, as a method of `WorkspaceStore`. */
  readonly operation: string
  readonly reason: string
}> {
  override get message(): string {
    return `the store failed in ${this.operation}: ${this.reason}`
  }
}
