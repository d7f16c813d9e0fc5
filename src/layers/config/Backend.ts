import { Config, Data, Redacted } from "effect"
import { coderVariables } from "./CoderConfig.ts"
import { text } from "./Variables.ts"

/** Where the fleet lives, as far as the configuration says. */
export type Backend = Data.TaggedEnum<{
  /** A Coder server. */
  Coder: { readonly url: URL; readonly sessionToken: Redacted.Redacted }
  /** This machine: by default where nothing is said of a Coder server, else because the configuration says so. */
  Local: { readonly byDefault: boolean }
  /** Nowhere yet. */
  Incomplete: { readonly problem: string; readonly remedy: string }
}>
export const Backend = Data.taggedEnum<Backend>()

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

const coder = (address: string | undefined, token: Redacted.Redacted | undefined): Backend => {
  if (address === undefined) return incomplete(`No Coder server is named.`, setUrl)
  if (!URL.canParse(address)) return incomplete("CODER_URL (or --coder-url) is not a URL.", setUrl)
  const url = new URL(address)
  const problem = urlProblem(url)
  if (problem !== undefined) return incomplete(`CODER_URL (or --coder-url) ${problem}.`, setUrl)
  if (token === undefined) return incomplete(`A Coder server is named, but CODER_SESSION_TOKEN is not set.`, setToken)
  if (!/^[\x21-\x7e]+$/.test(Redacted.value(token))) {
    return incomplete("CODER_SESSION_TOKEN contains spaces, line breaks, or characters that are not ASCII.", setToken)
  }
  return Backend.Coder({ url, sessionToken: token })
}

const choose = ({
  address,
  pinned,
  sessionToken
}: {
  readonly address: string | undefined
  readonly sessionToken: Redacted.Redacted | undefined
  readonly pinned: string | undefined
}): Backend => {
  switch (pinned?.toLowerCase()) {
    case "local":
      return Backend.Local({ byDefault: false })
    case "coder":
      return coder(address, sessionToken)
    case undefined:
      break
    default:
      return incomplete(
        "FLEET_MCP_BACKEND is neither coder nor local.",
        "Set it to one of them, or unset it, and restart fleet-mcp."
      )
  }
  if (address !== undefined) return coder(address, sessionToken)
  return sessionToken === undefined
    ? Backend.Local({ byDefault: true })
    : incomplete("CODER_SESSION_TOKEN is set, but CODER_URL is not.", `${setUrl} ${orLocal}`)
}

/**
 * Chooses the backend: by `FLEET_MCP_BACKEND` (`coder` or `local`), else by whether `CODER_URL` and
 * `CODER_SESSION_TOKEN` are there. Half a configuration is `Incomplete`, never silently this machine.
 */
export const backendConfig: Config.Config<Backend> = Config.map(
  Config.all({ coder: coderVariables, pinned: text("FLEET_MCP_BACKEND") }),
  (read) => choose({ ...read.coder, pinned: read.pinned })
)
