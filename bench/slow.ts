// The transport while 2,000 clients keep it waiting, against the same in calm: what others notice, when the slow ones are
// hung up on, and what they cost.
import { fork } from "node:child_process"
import { once } from "node:events"
import { connect } from "node:net"
import { fileURLToPath } from "node:url"
import { load } from "./support/HttpLoad.ts"
import { memory, serveTransport, start, stop, token } from "./support/HttpServers.ts"

const file = fileURLToPath(import.meta.url)
const [clients, milliseconds] = [10, 5000]

const head = (host: string) =>
  `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`

interface Kind {
  readonly count: number
  readonly begin: (host: string) => string
  /** Sent every second. */
  readonly piece?: string
  /** It does not read what it is sent. */
  readonly deaf?: true
}

/** More bytes of answers than the kernels of both sides hold. */
const questions = 2000

const kinds = {
  half_open: { count: 800, begin: () => "" },
  slow_headers: { count: 600, begin: head, piece: "X-More: x\r\n" },
  slow_body: {
    count: 400,
    begin: (host) => `${head(host)}Transfer-Encoding: chunked\r\n\r\n`,
    piece: "1\r\n \r\n"
  },
  slow_readers: {
    count: 200,
    begin: (host) => `GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(questions),
    deaf: true
  }
} satisfies Record<string, Kind>

const names = Object.keys(kinds) as ReadonlyArray<keyof typeof kinds>

const open = async (url: URL, { begin, deaf, piece }: Kind): Promise<{ readonly closed: Promise<unknown> }> => {
  const socket = connect({ host: url.hostname, port: Number(url.port) })
  socket.on("error", () => undefined)
  const closed = new Promise((resolve) => socket.once("close", resolve))
  if (deaf === true) socket.pause()
  else socket.resume()
  await once(socket, "connect")
  socket.write(begin(url.host))
  if (piece !== undefined) {
    const timer = setInterval(() => socket.write(piece), 1000)
    socket.once("close", () => clearInterval(timer))
  }
  return { closed }
}

/** Runs as the process of the slow clients: says when all are there, and for each kind when the last was hung up on. */
const attack = async (url: URL) => {
  const begun = performance.now()
  const seconds = () => Number(((performance.now() - begun) / 1000).toFixed(1))
  const last: Partial<Record<keyof typeof kinds, number>> = {}
  const ends: Array<Promise<unknown>> = []
  for (const name of names) {
    const kind: Kind = kinds[name]
    const sockets = await Promise.all(Array.from({ length: kind.count }, () => open(url, kind)))
    if (kind.deaf === true) continue
    const closed = Promise.all(sockets.map((each) => each.closed))
    ends.push(closed.then(() => (last[name] = seconds())))
  }
  process.send?.("there")
  await Promise.all(ends)
  process.send?.(last, () => process.exit())
}

const main = async () => {
  const server = await start(file, "transport")
  await load(server.url, token, clients, 1000)
  const calm = await load(server.url, token, clients, milliseconds)
  const before = memory(server)
  const attackers = fork(file, { env: { ...process.env, BENCH_SLOW: server.url.href } })
  await once(attackers, "message")
  const attacked = load(server.url, token, clients, milliseconds)
  const report = once(attackers, "message")
  const { errors, p50_ms, p99_ms } = await attacked
  const after = memory(server)
  const [hungUpAfter] = (await report) as [object]
  console.log(
    JSON.stringify({
      benchmark: "slow",
      p50_ms,
      p99_ms,
      errors,
      baseline: calm,
      ratio: Number((p99_ms / calm.p99_ms).toFixed(2)),
      milestone_ratio: 2,
      slow_clients: Object.fromEntries(names.map((name) => [name, kinds[name].count])),
      hung_up_after_s: hungUpAfter,
      mib_more: Math.round(after - before)
    })
  )
  await stop(server)
}

const target = process.env["BENCH_SLOW"]
if (target !== undefined) await attack(new URL(target))
else if (process.env["BENCH_HTTP"] === "transport") serveTransport()
else await main()
