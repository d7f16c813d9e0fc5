import { FetchHttpClient, HttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import { unsafeCoerce } from "effect/Function"
import { EnvHttpProxyAgent, fetch, type Dispatcher, type RequestInit as ProxiedInit } from "undici"
import { ProxyRefused } from "../layers/clients/ProxyRefused.ts"
import type { CoderProxy } from "../layers/config/ProxyConfig.ts"

/** How undici 7 tells that a proxy refused `CONNECT` (`lib/dispatcher/proxy-agent.js`); its code alone may be an abort. */
const refusedTunnel = /^Proxy response \((\d+)\) !== 200/

const told = (error: Error): Error => {
  const status = refusedTunnel.exec(error.message)?.[1]
  return status === undefined ? error : new ProxyRefused({ status: Number(status) })
}

/** Names a refusal beneath `fetch`, which takes it for an abort of its own and drops what it says. */
const namingRefusals: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch(options, {
    onRequestStart: (...args) => handler.onRequestStart?.(...args),
    onRequestUpgrade: (...args) => handler.onRequestUpgrade?.(...args),
    onResponseStart: (...args) => handler.onResponseStart?.(...args),
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (controller, error) => handler.onResponseError?.(controller, told(error))
  })

const acquireAgent = ({ noProxy, url }: CoderProxy) =>
  Effect.acquireRelease(
    Effect.sync(
      () =>
        // Each option is given, or undici would read the environment by itself.
        new EnvHttpProxyAgent({ httpProxy: url.href, httpsProxy: url.href, noProxy: noProxy.join(",") })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )

/**
 * An `HttpClient` that speaks by `fetch` through a proxy, with a tunnel (`CONNECT`) for https and for http: the proxy
 * sees neither the token nor an answer. A module of its own, since undici is loaded only where there is a proxy.
 */
export const layer = (proxy: CoderProxy): Layer.Layer<HttpClient.HttpClient> =>
  Layer.scoped(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const agent = yield* acquireAgent(proxy)
      const dispatcher = agent.compose(namingRefusals)
      const client = yield* HttpClient.HttpClient
      return HttpClient.make((request, url) =>
        Effect.provideService(client.execute(request), FetchHttpClient.Fetch, (_, init) =>
          // The types of Node 20's fetch and of undici 7 differ in FormData alone, which no request of ours has.
          fetch(url, { ...unsafeCoerce<RequestInit | undefined, ProxiedInit>(init), dispatcher })
        )
      ).pipe(HttpClient.withTracerDisabledWhen(() => true))
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))
