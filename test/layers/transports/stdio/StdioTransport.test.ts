import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import { describe, expect, it } from "@effect/vitest"
import { PassThrough, Writable } from "node:stream"
import { longestMessage, StdioTransport } from "../../../../src/layers/transports/stdio/StdioTransport.ts"

const ping = (id: number | string) => ({ jsonrpc: "2.0" as const, id, method: "ping" })

const connect = (output: Writable = new PassThrough()) => {
  const input = new PassThrough()
  const transport = new StdioTransport(input, output)
  const received: Array<JSONRPCMessage> = []
  const errors: Array<string> = []
  let closes = 0
  transport.onmessage = (message) => void received.push(message)
  transport.onerror = (error) => void errors.push(error.message)
  transport.onclose = () => void closes++
  void transport.start()
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
  const written = () =>
    String((output instanceof PassThrough ? output.read() : undefined) ?? "")
      .split("\n")
      .filter((text) => text !== "")
      .map((text) => JSON.parse(text) as { id: unknown; error: { code: number; message: string } })
  return { input, output, transport, received, errors, written, settled, closes: () => closes }
}

describe("StdioTransport", () => {
  it("takes one message a line: cut anywhere, with CRLF, empty lines and a byte order mark", async () => {
    const { input, received, settled, written } = connect()
    const text = `\uFEFF${JSON.stringify({ ...ping(1), params: { text: "héllo 🚢" } })}\r\n\n  \r\n${JSON.stringify(ping("two"))}\n`
    for (const byte of Buffer.from(text)) input.write(Buffer.from([byte]))
    await settled()
    expect(received).toEqual([{ ...ping(1), params: { text: "héllo 🚢" } }, ping("two")])
    expect(written()).toEqual([])
  })

  it.each([
    ["not JSON", "{nope", -32700, null],
    ["a broken end", '{"jsonrpc":"2.0","id":7,"method":"ping"', -32700, null],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0x22]), -32700, null],
    ["no version", '{"id":7,"method":"ping"}', -32600, 7],
    ["params that are a list", '{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', -32600, 7],
    ["an id that is no id", '{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, null],
    ["a batch", '[{"jsonrpc":"2.0","id":7,"method":"ping"}]', -32600, null],
    ["a number", "7", -32600, null],
    ["null", "null", -32600, null],
    ["a method that is no text", '{"jsonrpc":"2.0","id":0,"method":1}', -32600, 0]
  ])("answers %s, and goes on", async (_, line, code, id) => {
    const { closes, errors, input, received, settled, written } = connect()
    input.write(line)
    input.write(`\n${JSON.stringify(ping(8))}\n`)
    await settled()
    expect(written()).toEqual([{ jsonrpc: "2.0", id, error: { code, message: expect.any(String) } }])
    expect(received).toEqual([ping(8)])
    expect(errors).toHaveLength(1)
    expect(closes()).toBe(0)
  })

  it("takes params: null for none", async () => {
    const { input, received, settled, written } = connect()
    input.write('{"jsonrpc":"2.0","id":"a","method":"ping","params":null}\n')
    await settled()
    expect(received).toEqual([ping("a")])
    input.write('{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"x","arguments":null}}\n')
    await settled()
    expect(received.at(-1)).toEqual({ jsonrpc: "2.0", id: "b", method: "tools/call", params: { name: "x" } })
    expect(written()).toEqual([])
  })

  it("does not answer a broken answer", async () => {
    const { input, settled, written } = connect()
    input.write('{"id":1,"result":{}}\n{"jsonrpc":"2.0","id":[],"error":{"code":1,"message":"x"}}\n')
    await settled()
    expect(written()).toEqual([])
  })

  it("takes a line of the limit, and answers a longer one once", async () => {
    const { input, received, settled, written } = connect()
    const frame = JSON.stringify({ ...ping(1), params: { text: "" } })
    const full = JSON.stringify({ ...ping(1), params: { text: "x".repeat(longestMessage - frame.length) } })
    input.write(`${full}\n`)
    await settled()
    expect(received).toHaveLength(1)
    input.write(full)
    input.write(`yyy${"z".repeat(longestMessage)}\n${JSON.stringify(ping(2))}\n`)
    await settled()
    expect(written()).toEqual([
      { jsonrpc: "2.0", id: null, error: { code: -32600, message: expect.stringContaining("4194304 bytes") } }
    ])
    expect(received.at(-1)).toEqual(ping(2))
  })

  it.each(["end", "destroy"] as const)("closes once at the %s of the input", async (how) => {
    const { closes, input, settled, transport } = connect()
    input[how]()
    input.resume()
    await settled()
    await settled()
    await transport.close()
    expect(closes()).toBe(1)
    await expect(transport.send(ping(1))).resolves.toBeUndefined()
  })

  it("closes when the output breaks, and survives what breaks later", async () => {
    const output = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) })
    const { closes, input, settled, transport } = connect(output)
    await expect(transport.send(ping(1))).resolves.toBeUndefined()
    await settled()
    expect(closes()).toBe(1)
    expect(input.destroyed).toBe(true)
    output.emit("error", new Error("again"))
  })

  it("reads no further while the client does not read", async () => {
    const waiting: Array<() => void> = []
    const output = new Writable({ write: (_chunk, _encoding, done) => void waiting.push(done) })
    const { input, received, settled, transport } = connect(output)
    const sent = transport.send({ ...ping(1), params: { text: "x".repeat(longestMessage + 1) } })
    input.write(`${JSON.stringify(ping(2))}\n`)
    await settled()
    expect(received).toEqual([])
    waiting.forEach((done) => done())
    await sent
    await settled()
    expect(received).toEqual([ping(2)])
  })
})
