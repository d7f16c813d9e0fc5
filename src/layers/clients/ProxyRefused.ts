import { Data } from "effect"

/** The proxy on the way answered `CONNECT` with `status` and opened no tunnel: nothing was sent through it. */
export class ProxyRefused extends Data.TaggedError("ProxyRefused")<{ readonly status: number }> {
  /** Node's own code for it (`nodejs.org/api/errors.html`). */
  readonly code = "ERR_PROXY_TUNNEL"
}

/** That refusal, where it stands somewhere in a chain of causes. */
export const proxyRefusal = (cause: unknown, depth = 0): ProxyRefused | undefined => {
  if (cause instanceof ProxyRefused) return cause
  return cause instanceof Error && depth < 4 ? proxyRefusal(cause.cause, depth + 1) : undefined
}
