import { assert, it } from "@effect/vitest"
import { Either } from "effect"
import { contains, nameOrOwnerAndName, parseSearch } from "../../../../src/layers/embedded/api/SearchQuery.ts"

const parse = (query: string) =>
  Either.match(parseSearch("workspace", query, ["owner", "name", "status"], nameOrOwnerAndName), {
    onLeft: ({ validations }) => validations?.map(({ detail }) => detail),
    onRight: (search) => Object.fromEntries(search)
  })

it("reads keys, quotes, bare words and owner/name", () => {
  assert.deepStrictEqual(parse(""), {})
  assert.deepStrictEqual(parse("owner:me"), { owner: "me" })
  assert.deepStrictEqual(parse("  Owner:ME   Status:Running "), { owner: "me", status: "running" })
  assert.deepStrictEqual(parse('name:"a b:c"'), { name: "a b:c" })
  assert.deepStrictEqual(parse("two words owner:me"), { name: "two words", owner: "me" })
  assert.deepStrictEqual(parse("Ada/Bot-1"), { owner: "ada", name: "bot-1" })
})

it("refuses broken elements, unknown keys and repeated ones", () => {
  assert.deepStrictEqual(parse("name:"), [`Query element "name:" cannot start or end with ':'`])
  assert.deepStrictEqual(parse(":x"), [`Query element ":x" cannot start or end with ':'`])
  assert.deepStrictEqual(parse("name:a:b"), [`Query element "name:a:b" can only contain 1 ':'`])
  assert.deepStrictEqual(parse("a/b/c"), [`Query element "a/b/c" can only contain 1 '/'`])
  assert.deepStrictEqual(parse("colour:red shape:round owner:me"), [
    '"colour" is not a valid query param',
    '"shape" is not a valid query param'
  ])
  assert.deepStrictEqual(parse("x name:a"), [
    'Query param "name" provided more than once, found 2 times. Only provide 1 instance of this query param.'
  ])
})

it("finds parts of a text, whatever the case, with % and _ as wildcards", () => {
  for (const pattern of ["", "bot", "BOT-", "b%1", "b_t", "%", "bot-1"])
    assert.isTrue(contains("Bot-1", pattern), pattern)
  for (const pattern of ["x", "bot_2", "1%b", "b.t", "bot-1_"]) assert.isFalse(contains("Bot-1", pattern), pattern)
  assert.isFalse(contains("b".repeat(32), "b%".repeat(16) + "x"))
})
