import { Schema } from "effect"

/** Nothing of it was stored, and nothing is there: the reason is that of the store. */
export class NotStored extends Schema.TaggedError<NotStored>()("NotStored", { reason: Schema.String }) {
  override get message() {
    return this.reason
  }
}
