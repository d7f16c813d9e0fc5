import { Schema } from "effect"

/**
 * A query parameter that is a 32-bit integer and not negative. The complaint about anything else is Coder's
 * (recording: list.json, "negative limit", "limit is no number").
 */
export const queryInteger = (name: string) =>
  Schema.NumberFromString.pipe(Schema.int(), Schema.between(0, 2 ** 31 - 1)).annotations({
    message: ({ actual }) => ({
      message: `Query param "${name}" must be a valid 32-bit positive integer: ${complaint(String(actual))}`,
      override: true
    })
  })

const complaint = (text: string): string =>
  /^-\d+$/.test(text)
    ? "value is negative"
    : `strconv.ParseInt: parsing "${text}": ${/^\d+$/.test(text) ? "value out of range" : "invalid syntax"}`
