import { Schema } from "effect"

/** Which part of a long list: `page` counts from 1, `page_size` is between 1 and 100. */
export interface PageRequest {
  readonly page: number
  readonly page_size: number
}

/** The paging keys that every paged result carries. */
export const pageKeys = {
  total_count: Schema.Number,
  page: Schema.Number,
  page_size: Schema.Number,
  has_next_page: Schema.Boolean,
  has_previous_page: Schema.Boolean
}

/** One page of `A`. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly total_count: number
  readonly page: number
  readonly page_size: number
  readonly has_next_page: boolean
  readonly has_previous_page: boolean
}

/** How many pages a list of `total` has; an empty list has one, empty page. */
export const pageCount = (total: number, page_size: number): number => Math.max(1, Math.ceil(total / page_size))

/** Cuts one page out of a whole list. */
export const paginate = <A>(items: ReadonlyArray<A>, { page, page_size }: PageRequest): Page<A> => ({
  items: items.slice((page - 1) * page_size, page * page_size),
  total_count: items.length,
  page,
  page_size,
  has_next_page: page < pageCount(items.length, page_size),
  has_previous_page: page > 1
})
