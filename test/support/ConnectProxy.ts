import { Effect } from "effect"
import { createServer } from "node:http"
import { connect, type AddressInfo, type Socket } from "node:net"

/** A real HTTP proxy on the loopback that opens tunnels, or refuses them with a status. */
export interface ConnectProxy {
  readonly url: URL
  /** The target of each CONNECT, and who asked, in the order in which they came. */
  readonly tunnels: ReadonlyArray<{ readonly to: string; readonly authorization: string | undefined }>
  /** Requests that came without a tunnel. */
  readonly plain: ReadonlyArray<string>
}

/** `refuse`: the status with which it answers each CONNECT instead. */
export const connectProxy = (refuse?: number) =>
  Effect.acquireRelease(
    Effect.async<ConnectProxy & { readonly close: Effect.Effect<void> }>((resume) => {
      const tunnels: Array<ConnectProxy["tunnels"][number]> = []
      const plain: Array<string> = []
      const sockets = new Set<Socket>()
      const server = createServer((request, response) => {
        plain.push(`${request.method} ${request.url}`)
        response.writeHead(400).end()
      })
      const kept = <S extends Socket>(socket: S): S => {
        sockets.add(socket)
        socket.on("error", () => socket.destroy())
        socket.on("close", () => sockets.delete(socket))
        return socket
      }
      server.on("connection", kept)
      server.on("connect", (request, socket: Socket, head: Buffer) => {
        const to = request.url ?? ""
        tunnels.push({ to, authorization: request.headers["proxy-authorization"] })
        if (refuse !== undefined) return void socket.end(`HTTP/1.1 ${refuse} No\r\ncontent-length: 0\r\n\r\n`)
        const { hostname, port } = new URL(`http://${to}`)
        const there = kept(connect(Number(port || 80), hostname))
        there.once("connect", () => {
          socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
          there.write(head)
          there.pipe(socket)
          socket.pipe(there)
        })
        there.once("close", () => socket.destroy())
        socket.once("close", () => there.destroy())
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = Effect.async<void>((done) => {
          for (const socket of sockets) socket.destroy()
          server.close(() => done(Effect.void))
        })
        resume(Effect.succeed({ url: new URL(`http://127.0.0.1:${port}`), tunnels, plain, close }))
      })
    }),
    ({ close }) => close
  )
