import {
  Headers,
  type HttpApp,
  HttpApiBuilder,
  HttpRouter,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { Effect, type Layer, Option } from "effect"
import { AgentHosts } from "../engine/AgentHosts.ts"
import { checkUser } from "./Authentication.ts"
import { Callers } from "./Callers.ts"
import { crossSiteAnswer, storeFailed } from "./CoderBody.ts"
import { changesByCookie } from "./Credential.ts"
import { Deployment, originOf } from "../Deployment.ts"
import type { BuildState } from "../store/Rows.ts"
import { WorkspaceStore } from "../store/WorkspaceStore.ts"

/**
 * The apps of workspaces by path: `/@{owner}/{workspace}[.agent]/apps/{slug}/{rest}`. The app gets the request without
 * Coder's cookies and with everything else. What Coder answers in its place is HTML (recording: app-proxy.json).
 */
export const appProxy: Layer.Layer<never, never, AgentHosts | Callers | Deployment | WorkspaceStore> =
  HttpApiBuilder.Router.use((router) =>
    Effect.gen(function* () {
      const hosts = yield* AgentHosts
      const store = yield* WorkspaceStore
      const callers = yield* Callers
      const { user } = yield* Deployment

      const find = Effect.fn("AppProxy.find")(function* (owner: string, workspace: string) {
        if (![user.username, user.id].includes(owner.toLowerCase())) return yield* noSuchApp
        const name = workspace.split(".")[0] ?? ""
        const [byName, byId] = yield* Effect.all([
          store.workspaceByName(name),
          store.workspace(name.toLowerCase())
        ]).pipe(Effect.catchTag("StoreFailed", (error) => Effect.catchAll(storeFailed(error), () => internalError)))
        const found = Option.filter(
          Option.orElse(byName, () => byId),
          (state) => !state.workspace.deleted
        )
        return yield* Option.match(found, { onNone: () => noSuchApp, onSome: Effect.succeed })
      })

      const appOf = Effect.fn("AppProxy.appOf")(function* ({ agent, build, workspace }: BuildState, slug: string) {
        if (build.transition === "stop") return yield* page(400, "Workspace Offline", "The workspace is not running.")
        if (build.job.status !== "succeeded" || agent?.app?.slug !== slug) return yield* noSuchApp
        if (agent.status !== "connected") {
          return yield* page(502, "Application Unavailable", `Agent state is "${agent.status}", not "connected"`)
        }
        return yield* Option.match(yield* hosts.app(workspace.id), {
          onNone: () => page(502, "Bad Gateway", "Nothing answers at the address of the application."),
          onSome: Effect.succeed
        })
      })

      const forward = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        yield* Effect.mapError(checkUser(request, callers), () => signIn(request))
        if (changesByCookie(request) && isForeign(request)) return crossSiteAnswer
        const { owner = "", slug = "", workspace = "", "*": rest = "" } = yield* HttpRouter.params
        const query = request.url.match(/\?[^#]*/)?.[0] ?? ""
        if (rest === "" && !/\/(\?|$)/.test(request.url))
          return redirect(307, `${encoded(`@${owner}/${workspace}/apps/${slug}/`)}${query}`)
        const app = yield* appOf(yield* find(owner, workspace), slug)
        return yield* ask(app, request, encoded(rest) + query)
      }).pipe(Effect.merge)

      yield* router.all("/@:owner/:workspace/apps/:slug", forward)
      yield* router.all("/@:owner/:workspace/apps/:slug/*", forward)
    })
  )

/** A path as the router understood it, however it was spelled. */
const encoded = (path: string): string =>
  `/${path
    .split("/")
    .map((segment) => encodeURIComponent(segment).replace(/^%40/, "@"))
    .join("/")}`

/** True for what a browser sends for the page of another origin. Clients that are no browsers name no origin. */
const isForeign = ({ headers }: HttpServerRequest.HttpServerRequest): boolean => {
  const { host, origin } = headers
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)
}

/** Lets an app answer a request as if it had come for `url`. */
const ask = (app: HttpApp.Default, request: HttpServerRequest.HttpServerRequest, url: string) => {
  const cookie = request.headers["cookie"]
  const headers =
    cookie === undefined ? request.headers : Headers.set(request.headers, "cookie", withoutCoderCookies(cookie))
  return Effect.provideService(app, HttpServerRequest.HttpServerRequest, request.modify({ url, headers }))
}

const withoutCoderCookies = (cookie: string): string =>
  cookie
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => !/^coder_[a-z_]*token=/.test(pair))
    .join("; ")

const page = (status: number, title: string, text: string) =>
  Effect.fail(
    HttpServerResponse.text(`<!doctype html><title>${status} - ${title}</title><h1>${title}</h1><p>${text}</p>\n`, {
      status,
      contentType: "text/html; charset=utf-8"
    })
  )

const internalError = page(500, "Internal Server Error", "An internal server error occurred.")

const noSuchApp = page(404, "Application Not Found", "The application does not exist, or you have no access to it.")

const redirect = (status: number, location: string) =>
  HttpServerResponse.text("", { status, headers: { location }, contentType: "text/html; charset=utf-8" })

const signIn = (request: HttpServerRequest.HttpServerRequest) => {
  const query = new URLSearchParams({
    message: "You are signed out or your session has expired. Please sign in again to continue.",
    redirect: request.url
  })
  return redirect(303, `${originOf(request)}/login?${query.toString()}`)
}
