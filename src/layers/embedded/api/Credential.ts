import type { HttpServerRequest } from "@effect/platform"
import { tokenName } from "../../../schemas/coder/Security.ts"

/** A token, and whether it came as a cookie: those a browser sends unasked, so they may not change anything. */
interface Credential {
  readonly token: string
  readonly fromCookie: boolean
}

/** The credential of a request: of those it carries the first, in Coder's order. */
export const credentialOf = (request: HttpServerRequest.HttpServerRequest): Credential | undefined => {
  const cookie = request.cookies[tokenName]
  if (cookie) return { token: cookie, fromCookie: true }
  const query = new URLSearchParams(request.url.split("?")[1])
  const token =
    query.get(tokenName) ||
    request.headers["coder-session-token"] ||
    /^bearer +(.+)$/i.exec(request.headers.authorization ?? "")?.[1]
  return token ? { token, fromCookie: false } : undefined
}

/** True for a request that may change something, and whose token came as a cookie. */
export const changesByCookie = (request: HttpServerRequest.HttpServerRequest): boolean =>
  request.method !== "GET" && request.method !== "HEAD" && credentialOf(request)?.fromCookie === true
