import { assert, describe, it } from "@effect/vitest"
import { FastCheck, Redacted } from "effect"
import { makeRedact, shortestSecret } from "../../../src/layers/clients/Redact.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const secret = 'a/b+c=d&e<f>g"h\\i%j'
const forms = [
  ["as it is", secret],
  ["in JSON", JSON.stringify(secret)],
  ["in JSON of Go", JSON.stringify(secret).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")],
  ["in a URL", encodeURIComponent(secret)]
] as const

describe.concurrent("a secret", () => {
  for (const [how, form] of forms) {
    it(`is taken out ${how}, wherever and however often it stands`, () => {
      const redact = makeRedact(Redacted.make(secret))
      FastCheck.assert(
        FastCheck.property(FastCheck.array(FastCheck.string({ unit: "grapheme" })), (around) => {
          const clean = around.join("<redacted>")
          assert.strictEqual(text(redact.bytes(bytes(around.join(form.replaceAll(/^"|"$/g, ""))))), clean)
          assert.strictEqual(redact.text(around.join(form.replaceAll(/^"|"$/g, ""))), clean)
        })
      )
    })
  }

  it("that is as short as a word stays", () => {
    for (const word of ["", "token", "x".repeat(shortestSecret - 1)]) {
      const redact = makeRedact(Redacted.make(word))
      assert.strictEqual(redact.text(`the ${word}`), `the ${word}`)
      assert.strictEqual(text(redact.bytes(bytes(`the ${word}`))), `the ${word}`)
    }
  })

  it("leaves what does not hold it, without a copy", () => {
    const body = bytes('{"name":"é🚢"}')
    assert.strictEqual(makeRedact(Redacted.make(secret)).bytes(body), body)
  })
})
