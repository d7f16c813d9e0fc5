import { Data } from "effect"

/**
 * What became of a request whose answer may have been lost: `Seen`, with what the answer or a read afterwards showed, or
 * `Unseen`: no read could tell whether it was carried out.
 */
export type Settled<A> = Data.TaggedEnum<{
  readonly Seen: { readonly value: A }
  readonly Unseen: {}
}>

interface SettledDefinition extends Data.TaggedEnum.WithGenerics<1> {
  readonly taggedEnum: Settled<this["A"]>
}

export const { Seen, Unseen } = Data.taggedEnum<SettledDefinition>()
