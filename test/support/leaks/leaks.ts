import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtempSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { send } from "../../layers/transports/http/HttpFixture.ts"
import { Program } from "../Program.ts"
import { discard, secrets } from "../Secrets.ts"

// Passing tests, each with a leak of its own: run by Secrets.test.ts, as a whole run.

it("leaves a file in a directory that it removes", () => {
  const directory = mkdtempSync(join(tmpdir(), "leak-"))
  writeFileSync(join(directory, "left.txt"), secrets.mainToken)
  discard(directory)
})

it("prints", () => {
  console.log(Buffer.from(secrets.readToken).toString("hex"))
})

it("has a program that says it", async () => {
  await using started = new Program({ args: ["--local"] })
  await started.initialize()
  const { error } = await started.request("tools/call", { name: secrets.operateToken })
  expect(error?.message).toContain("Unknown tool")
})

it("has an answer that says it", async () => {
  const server = createServer((_, response) => response.writeHead(200, { "X-Token": secrets.approveToken }).end())
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  await send(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), { method: "GET" })
  server.close()
})

it.effect("has a span that holds it", () =>
  Effect.withSpan(Effect.void, "span", { attributes: { it: secrets.coderToken } })
)

it.effect("logs it", () => Effect.logWarning({ it: secrets.embeddedToken }))
