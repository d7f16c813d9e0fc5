import { Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { BearerAuth, Caller } from "../../auth/BearerAuth.ts"
import type { HttpLimits } from "./HttpLimits.ts"
import * as HttpRefusal from "./HttpRefusal.ts"

/** Whom the gate lets through. */
export interface GateOptions {
  /** Host names under which the server may be asked, beside the loopback ones. Ports do not matter. */
  readonly hosts: ReadonlyArray<string>
  /** Origins whose pages may use the server. Default: none. */
  readonly origins: ReadonlyArray<string>
  /** Addresses of reverse proxies, whose `X-Forwarded-For` is believed. */
  readonly proxies: ReadonlyArray<string>
  readonly auth: typeof BearerAuth.Service
}

type Route = {
  /** Exactly these: nothing is decoded, folded or joined before they are compared. */
  readonly paths: ReadonlyArray<string>
  readonly methods: ReadonlyArray<string>
  readonly open?: true
}

/** All that is served. What is open needs no token. */
export const routes: ReadonlyArray<Route> = [
  { paths: ["/mcp", "/mcp/"], methods: ["GET", "POST", "DELETE"] },
  { paths: ["/health"], methods: ["GET", "HEAD"], open: true }
]

/** A request that may go on. */
export type Passed = { readonly to: "health" } | { readonly to: "preflight" } | { readonly to: "mcp"; caller: Caller }

const loopback = ["localhost", "127.0.0.1", "[::1]"]

/** Every value of a header, none of them joined or dropped. */
const values = ({ rawHeaders }: IncomingMessage, name: string): ReadonlyArray<string> =>
  rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)

/** The name in a Host header, without its port. */
export const hostName = (host: string): string | undefined => {
  // What URL would take for something else than a host, or quietly leave out.
  if (!/^[A-Za-z0-9.\-_:[\]]+$/.test(host)) return undefined
  const address = `http://${host}`
  return URL.canParse(address) ? new URL(address).hostname : undefined
}

/** The same for a name that is to be allowed: an IPv6 address may come as it is. */
export const allowedHost = (host: string): string | undefined => hostName(host) ?? hostName(`[${host}]`)

/**
 * An origin as browsers send it. None for what they send `null` for: so do frames of any page, when they are sandboxed.
 */
export const originName = (origin: string): string | undefined => {
  if (!URL.canParse(origin)) return undefined
  const { host, origin: known, protocol } = new URL(origin)
  if (known !== "null") return known
  // URL knows no origin of other schemes, such as those of extensions.
  return host === "" ? undefined : `${protocol}//${host}`
}

/** Whether what listens there is reachable from this machine only. */
export const isLoopback = (host: string): boolean => loopback.includes(host) || host === "::1"

const mediaType = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i

const contentRefusal = (request: IncomingMessage, limits: HttpLimits["Type"]): HttpRefusal.HttpRefusal | undefined => {
  const [type = "", ...more] = values(request, "content-type")
  const encoding = request.headers["content-encoding"] ?? "identity"
  if (more.length > 0 || !mediaType.test(type) || encoding !== "identity") return HttpRefusal.notJson
  return Number(request.headers["content-length"] ?? 0) > limits.message ? HttpRefusal.tooLarge(limits) : undefined
}

/** From what address a request comes, for the log. */
const addressOf = (request: IncomingMessage, proxies: ReadonlySet<string>): string => {
  const peer = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "unknown"
  if (!proxies.has(peer)) return peer
  const hops = values(request, "x-forwarded-for").flatMap((value) => value.split(","))
  const last = hops.at(-1)?.trim().slice(0, 45) ?? ""
  return last === "" ? peer : last
}

const allowCrossOrigin = (response: ServerResponse, origin: string) => {
  response.setHeader("Access-Control-Allow-Origin", origin)
  response.setHeader("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After")
  response.setHeader("Vary", "Origin")
}

const preflight = {
  "Access-Control-Allow-Methods": "GET, POST, DELETE",
  "Access-Control-Allow-Headers":
    "Authorization, Content-Type, Accept, Mcp-Session-Id, Mcp-Protocol-Version, Last-Event-ID",
  "Access-Control-Max-Age": "600",
  "Content-Length": "0"
}

/** The answer to a browser that asks whether its page may send a request. */
export const answerPreflight = (response: ServerResponse): void => {
  response.writeHead(204, preflight).end()
}

/**
 * Looks at a request before anything of it is served: route and method, Host, Origin, token, content type and length.
 * The body has not been touched then.
 */
export const make = ({ auth, hosts, origins, proxies }: GateOptions, limits: HttpLimits["Type"]) => {
  const knownHosts = new Set([...loopback, ...hosts.flatMap((host) => allowedHost(host) ?? [])])
  const knownOrigins = new Set(origins.flatMap((origin) => originName(origin) ?? []))
  const knownProxies = new Set(proxies)

  /** The route, or why the request is refused without looking at its token. */
  const findRoute = (request: IncomingMessage, response: ServerResponse): Route | HttpRefusal.HttpRefusal => {
    const [path = ""] = (request.url ?? "").split("?", 1)
    const route = routes.find(({ paths }) => paths.includes(path))
    if (route === undefined) return HttpRefusal.notFound
    const isPreflight = request.method === "OPTIONS" && knownOrigins.size > 0
    if (!isPreflight && !route.methods.includes(request.method ?? "")) {
      return HttpRefusal.methodNotAllowed(route.methods)
    }
    const [host = "", ...otherHosts] = values(request, "host")
    const name = hostName(host)
    if (otherHosts.length > 0 || name === undefined || !knownHosts.has(name)) return HttpRefusal.hostRefused
    const [origin, ...otherOrigins] = values(request, "origin")
    if (origin !== undefined) {
      if (otherOrigins.length > 0 || !knownOrigins.has(origin)) return HttpRefusal.originRefused
      allowCrossOrigin(response, origin)
    }
    return route
  }

  return (request: IncomingMessage, response: ServerResponse): Effect.Effect<Passed, HttpRefusal.HttpRefusal> => {
    const route = findRoute(request, response)
    if ("status" in route) return Effect.fail(route)
    if (request.method === "OPTIONS") return Effect.succeed({ to: "preflight" })
    if (route.open === true) return Effect.succeed({ to: "health" })
    return Effect.flatMap(
      auth.check(values(request, "authorization")).pipe(
        Effect.annotateLogs({ address: addressOf(request, knownProxies) }),
        Effect.mapError(() => HttpRefusal.unauthorized)
      ),
      (caller) => {
        const refusal = request.method === "POST" ? contentRefusal(request, limits) : undefined
        return refusal === undefined ? Effect.succeed({ to: "mcp", caller }) : Effect.fail(refusal)
      }
    )
  }
}
