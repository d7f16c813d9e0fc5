import { assert, describe, expect, it } from "@effect/vitest"
import { Redacted } from "effect"
import { timingSafeEqual } from "node:crypto"
import { vi } from "vitest"
import { digestOf, fromHex, newValue, sameDigest, toHex } from "../../../src/layers/auth/TokenValues.ts"

vi.mock("node:crypto", { spy: true })

describe("TokenValues", () => {
  it("makes values of 256 bits that do not repeat", () => {
    const values = Array.from({ length: 1000 }, () => Redacted.value(newValue()))
    assert.strictEqual(new Set(values).size, values.length)
    for (const value of values) assert.strictEqual(Buffer.from(value, "base64url").length, 32)
  })

  it("digests by SHA-256, in hexadecimal and back", () => {
    const digest = digestOf(Redacted.make("abc"))
    assert.strictEqual(toHex(digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert.isTrue(sameDigest(fromHex(toHex(digest)), digest))
  })

  it("tells digests apart by any single bit, and by their lengths", () => {
    const digest = digestOf(Redacted.make("abc"))
    for (let bit = 0; bit < 256; bit++) {
      const other = Uint8Array.from(digest, (byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      assert.isFalse(sameDigest(digest, other))
    }
    for (const part of [digest.subarray(1), digest.subarray(0, -1), digest.subarray(0, 0)]) {
      assert.isFalse(sameDigest(digest, part))
      assert.isFalse(sameDigest(part, digest))
    }
  })

  it("leaves digests of one length to the system's comparison, which takes as long wherever they differ", () => {
    const digest = digestOf(Redacted.make("abc"))
    for (const at of [0, 31]) {
      const other = Uint8Array.from(digest, (byte, index) => (index === at ? byte ^ 1 : byte))
      vi.mocked(timingSafeEqual).mockClear()
      sameDigest(digest, other)
      expect(timingSafeEqual).toHaveBeenCalledExactlyOnceWith(digest, other)
    }
  })
})
