import { Config, Either, Option } from "effect"
import { invalid, list, text } from "./Variables.ts"

/** The proxy for one server. Its URL may hold a user and a password: it is for the connection alone. */
export interface CoderProxy {
  /** Which variable named it. */
  readonly variable: string
  readonly url: URL
  /** Hosts that are asked directly: names with their subdomains, or with a port; `*` is all. */
  readonly noProxy: ReadonlyArray<string>
}

/** As curl has it: the name in lower case counts first, and what is blank counts as unset. */
const eitherCase = <A>(name: string, read: (name: string) => Config.Config<A>, isSet: (value: A) => boolean) =>
  Config.map(Config.all([read(name.toLowerCase()), read(name)]), ([lower, upper]) => (isSet(lower) ? lower : upper))

const decodes = (part: string): boolean => Option.isSome(Option.liftThrowable(decodeURIComponent)(part))

const proxyUrl = (value: string): URL | undefined => {
  // As curl has it: without a scheme it is an HTTP proxy.
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`
  if (!URL.canParse(address)) return undefined
  const url = new URL(address)
  const usable = ["http:", "https:"].includes(url.protocol) && [url.username, url.password].every(decodes)
  return usable ? url : undefined
}

/**
 * The proxy for `server`: `HTTPS_PROXY` for https, `HTTP_PROXY` for http, each also in lower case, with `NO_PROXY`.
 * Nothing but `NO_PROXY` decides what goes past it: the loopback neither.
 */
export const proxyFor = (server: URL): Config.Config<CoderProxy | undefined> => {
  const variable = server.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY"
  return Config.mapOrFail(
    Config.all({
      address: eitherCase(variable, text, (value) => value !== undefined),
      noProxy: eitherCase(
        "NO_PROXY",
        (name) => list(name, /[\s,]+/),
        (hosts) => hosts.length > 0
      )
    }),
    ({ address, noProxy }) => {
      if (address === undefined) return Either.right(undefined)
      const url = proxyUrl(address)
      return url === undefined
        ? invalid(variable, "is not the address of an HTTP proxy, for example http://proxy.example.com:3128")
        : Either.right({ variable, url, noProxy })
    }
  )
}
