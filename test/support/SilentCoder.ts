import { EventEmitter, once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { secrets } from "./Secrets.ts"

/** A Coder that takes every request and answers none. Emits `asked`, and `left` when who asked has hung up. */
export class SilentCoder extends EventEmitter<{ asked: []; left: [] }> implements AsyncDisposable {
  /** Every request so far. */
  readonly asked: Array<string> = []
  readonly #server = createServer((request, response) => {
    this.asked.push(`${request.method} ${request.url}`)
    this.emit("asked")
    response.once("close", () => this.emit("left"))
  })

  static async start(): Promise<SilentCoder> {
    const coder = new SilentCoder()
    coder.#server.listen(0, "127.0.0.1")
    await once(coder.#server, "listening")
    return coder
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What sends a program there. */
  get env() {
    return { CODER_URL: this.url, CODER_SESSION_TOKEN: secrets.coderToken }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
