import { fork } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

// A Coder that serves one recorded workspace many times over, in a process of its own, so that its work is not ours.

interface Exchange {
  readonly name: string
  readonly response: { readonly body: Record<string, unknown> }
}

const recorded = (topic: string, name: string): Record<string, unknown> => {
  const file = `test/fixtures/coder/v2.31.3/${topic}.json`
  const { exchanges } = JSON.parse(readFileSync(file, "utf8")) as { readonly exchanges: ReadonlyArray<Exchange> }
  const found = exchanges.find((exchange) => exchange.name === name)
  if (found === undefined) throw new Error(`${file} has no exchange ${name}`)
  return found.response.body
}

const workspaces = (count: number): ReadonlyArray<unknown> => {
  const one = JSON.parse(
    // Its startup script runs: nobody asks the agent itself, so that the figure is that of reading the list.
    JSON.stringify(recorded("statuses", "order in the workspace")).replaceAll(
      '"lifecycle_state":"ready"',
      '"lifecycle_state":"starting"'
    )
  ) as Record<string, unknown>
  return Array.from({ length: count }, (_, index) => ({ ...one, id: `w-${index}`, name: `agent-${index}` }))
}

/** Runs as that process, and says over its channel where it listens. */
export const serve = (count: number): void => {
  const all = workspaces(count)
  const bodies: Record<string, unknown> = {
    "rich-parameters": recorded("templates", "rich parameters"),
    presets: recorded("templates", "presets"),
    me: recorded("platform", "me")
  }
  let requests = 0
  const pages = new Map<string, string>()
  const page = (query: URLSearchParams): string => {
    const [limit, offset] = [Number(query.get("limit")), Number(query.get("offset"))]
    const key = `${limit} ${offset}`
    const known = pages.get(key) ?? JSON.stringify({ workspaces: all.slice(offset, offset + limit), count })
    pages.set(key, known)
    return known
  }
  const server = createServer((request, response) => {
    requests++
    const url = new URL(request.url ?? "/", "http://localhost")
    const last = url.pathname.split("/").at(-1) ?? ""
    const body =
      last === "workspaces"
        ? page(url.searchParams)
        : url.pathname.includes("/workspace/")
          ? JSON.stringify(all[0])
          : last === "requests"
            ? `${requests}`
            : JSON.stringify(bodies[last])
    response.writeHead(200, { "content-type": "application/json" }).end(body)
  })
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    process.send?.({ url: `http://127.0.0.1:${port}`, bytes: JSON.stringify(all).length })
  })
  process.once("disconnect", () => server.close(() => process.exit()))
}

/** Starts `file` again as the Coder, with `count` in BENCH_CODER; `requests` counts its own request too. */
export const startCoder = async (file: string, count: number) => {
  const child = fork(file, { env: { ...process.env, BENCH_CODER: `${count}` } })
  const [{ bytes, url }] = (await once(child, "message")) as [{ readonly bytes: number; readonly url: string }]
  return {
    url,
    bytes,
    requests: async () => Number(await (await fetch(`${url}/requests`)).text()),
    stop: async () => {
      child.disconnect()
      await once(child, "exit")
    }
  }
}
