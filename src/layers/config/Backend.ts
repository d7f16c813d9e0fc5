import { Data, Redacted } from "effect"

/** Where the fleet lives, as far as the configuration says. */
export type Backend = Data.TaggedEnum<{
  /** A Coder server. */
  Coder: { readonly url: URL; readonly sessionToken: Redacted.Redacted }
  /** This machine. */
  Local: {}
  /** Nowhere yet. */
  Incomplete: { readonly problem: string; readonly remedy: string }
}>
export const Backend = Data.taggedEnum<Backend>()

/** Environment variables; one that is empty or blank counts as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the command line says about the backend. */
export interface BackendFlags {
  /** `--local` */
  readonly local: boolean
  /** `--coder-url URL` */
  readonly coderUrl?: string | undefined
}

const incomplete = (problem: string, remedy: string): Backend => Backend.Incomplete({ problem, remedy })

const setUrl =
  "Set CODER_URL (or --coder-url) to Coder's own address, for example https://coder.example.com, and restart fleet-mcp."
const setToken = "Set CODER_SESSION_TOKEN to a token of yours (coder tokens create), and restart fleet-mcp."
const orLocal = "Or start fleet-mcp with --local to run agents on this machine."

// No message repeats a value: a URL may hold a password, and a token may stand where the URL belongs.
const urlProblem = (url: URL): string | undefined => {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "does not begin with https:// or http://"
  if (url.username !== "" || url.password !== "") return "contains a user name or password"
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") return "has something behind the host"
  return undefined
}

const coder = (source: string, address: string | undefined, token: string | undefined): Backend => {
  if (address === undefined) return incomplete(`No Coder server is named.`, setUrl)
  if (!URL.canParse(address)) return incomplete(`${source} is not a URL.`, setUrl)
  const url = new URL(address)
  const problem = urlProblem(url)
  if (problem !== undefined) return incomplete(`${source} ${problem}.`, setUrl)
  if (token === undefined) return incomplete(`A Coder server is named, but CODER_SESSION_TOKEN is not set.`, setToken)
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return incomplete("CODER_SESSION_TOKEN contains spaces, line breaks, or characters that are not ASCII.", setToken)
  }
  return Backend.Coder({ url, sessionToken: Redacted.make(token) })
}

/**
 * Chooses the backend. What is most explicit wins: `--local` and `--coder-url`, then `FLEET_MCP_BACKEND`, then whether
 * `CODER_URL` and `CODER_SESSION_TOKEN` are there. Half a configuration is `Incomplete`, never silently this machine.
 */
export const chooseBackend = (environment: Environment, flags: BackendFlags): Backend => {
  const read = (name: string) => (environment[name]?.trim() === "" ? undefined : environment[name])
  const [address, token, pinned] = [read("CODER_URL"), read("CODER_SESSION_TOKEN"), read("FLEET_MCP_BACKEND")]

  if (flags.coderUrl !== undefined) {
    return flags.local
      ? incomplete("--local and --coder-url contradict each other.", "Restart fleet-mcp with one of them.")
      : coder("--coder-url", flags.coderUrl, token)
  }
  if (flags.local) return Backend.Local()
  switch (pinned?.trim().toLowerCase()) {
    case "local":
      return Backend.Local()
    case "coder":
      return coder("CODER_URL", address, token)
    case undefined:
      break
    default:
      return incomplete(
        "FLEET_MCP_BACKEND is neither coder nor local.",
        "Set it to one of them, or unset it, and restart fleet-mcp."
      )
  }
  if (address !== undefined) return coder("CODER_URL", address, token)
  return token === undefined
    ? Backend.Local()
    : incomplete("CODER_SESSION_TOKEN is set, but CODER_URL is not.", `${setUrl} ${orLocal}`)
}
