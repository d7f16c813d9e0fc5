import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo, Socket } from "node:net"
import { fileURLToPath } from "node:url"

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

/** The certificate of `serveTls`, for `NODE_EXTRA_CA_CERTS`. */
export const certificate = fixture("cert.pem")

/** A Coder over TLS on `https://localhost`, with a certificate that nothing trusts. It answers what `bodies` has by path. */
export const serveTls = (bodies: Readonly<Record<string, unknown>>) =>
  Effect.acquireRelease(
    Effect.async<{
      readonly url: URL
      readonly asked: ReadonlyArray<string>
      readonly connections: () => number
      readonly close: Effect.Effect<void>
    }>((resume) => {
      const asked: Array<string> = []
      const sockets = new Set<Socket>()
      let connections = 0
      const options = { key: readFileSync(fixture("key.pem")), cert: readFileSync(certificate) }
      const server = createServer(options, (request, response) => {
        const { pathname } = new URL(request.url ?? "/", "https://localhost")
        asked.push(`${request.method} ${pathname}`)
        const body = bodies[pathname]
        response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" })
        response.end(JSON.stringify(body ?? { message: "Resource not found." }))
      })
      server.on("connection", (socket: Socket) => {
        connections += 1
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = Effect.async<void>((done) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => done(Effect.void))
        })
        resume(
          Effect.succeed({ url: new URL(`https://localhost:${port}`), asked, connections: () => connections, close })
        )
      })
    }),
    ({ close }) => close
  )
