import { FetchHttpClient, HttpApp, HttpClient, HttpMiddleware, HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { execFileSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { mkdirSync, renameSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { ListenOptions } from "node:net"
import { join } from "node:path"
import { type EmbeddedFaults, embeddedFaults } from "./EmbeddedFaults.ts"
import { socketHttpClient } from "./SocketHttpClient.ts"
import { ConversationStore } from "../../src/layers/agenthost/ConversationStore.ts"
import { CoderConfig } from "../../src/layers/config/CoderConfig.ts"
import type { EmbeddedOptions } from "../../src/layers/config/EmbeddedConfig.ts"
import { CoderApp } from "../../src/layers/embedded/api/CoderApp.ts"
import { EmbeddedCoder } from "../../src/layers/embedded/EmbeddedCoder.ts"
import { Ids } from "../../src/layers/embedded/store/Ids.ts"
import { layerStoredConversations } from "../../src/layers/embedded/store/StoredConversations.ts"
import { RowStore } from "../../src/layers/embedded/store/RowStore.ts"
import { environment, temporaryDirectory } from "../layers/agenthost/support.ts"
import { secrets } from "./Secrets.ts"

/** The token of every embedded Coder of the tests. */
export const sessionToken = Redacted.make(secrets.embeddedToken)

const git = (directory: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("git", ["-C", directory, "-c", "user.name=Test", "-c", "user.email=test@example.com", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  }).trim()

/** Makes a git repository in a directory: two files and two commits on `main`. */
export const makeRepository = (directory: string): string => {
  mkdirSync(join(directory, "src"), { recursive: true })
  git(directory, "init", "--quiet", "--initial-branch=main")
  writeFileSync(join(directory, "README.md"), "# Sample\n")
  git(directory, "add", ".")
  git(directory, "commit", "--quiet", "-m", "Begin")
  writeFileSync(join(directory, "src/index.js"), 'console.log("hello")\n')
  git(directory, "add", ".")
  git(directory, "commit", "--quiet", "-m", "Say hello")
  return directory
}

/**
 * For as long as the scope, the disk of a repository does not answer, as far as git can tell: its HEAD is a pipe that
 * nobody writes to.
 */
export const silence = (repository: string): Effect.Effect<void, never, Scope.Scope> => {
  const head = join(repository, ".git", "HEAD")
  return Effect.acquireRelease(
    Effect.sync(() => {
      renameSync(head, `${head}.before`)
      execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", head])
    }),
    // What is left is looked through, by git too.
    () => Effect.sync(() => renameSync(`${head}.before`, head))
  )
}

/** What a test has around its embedded Coder. Everything is gone when the test has ended. */
export class EmbeddedFixture extends Context.Tag("fleet-mcp/test/support/EmbeddedFixture")<
  EmbeddedFixture,
  {
    /** A git repository called `sample`, the working directory and, unless others are given, the only project. */
    readonly repository: string
    readonly stateDirectory: string
    /** The tokens of the agents, in the order of their starts. Coder gives them to nobody but the agent. */
    readonly agentTokens: ReadonlyArray<string>
  }
>() {}

/** As for the embedded Coder; what names directories is made for that of the test, in which `sample` is. */
export interface FixtureOptions extends Partial<Pick<EmbeddedOptions, "allowShell" | "sessionToken">> {
  readonly faults?: EmbeddedFaults
  readonly projects?: (directory: string) => NonNullable<EmbeddedOptions["projects"]>
  readonly workingDirectory?: (directory: string) => string
  readonly environment?: (directory: string) => NonNullable<EmbeddedOptions["environment"]>
}

const surroundings = ({ environment: given, faults = {}, projects, workingDirectory, ...options }: FixtureOptions) =>
  Effect.map(temporaryDirectory, (directory) => {
    const agentTokens: Array<string> = []
    const repository = makeRepository(join(directory, "sample"))
    const stateDirectory = join(directory, "state")
    const embeddedOptions: EmbeddedOptions = {
      stateDirectory,
      workingDirectory: workingDirectory?.(directory) ?? repository,
      environment: given?.(directory) ?? { ...environment, ANTHROPIC_API_KEY: secrets.providerKey },
      projects: projects?.(directory),
      sessionToken,
      ...options
    }
    const ids = Ids.of({
      make: (purpose) =>
        Effect.sync(() => {
          const id = randomUUID()
          if (purpose === "agent token") agentTokens.push(id)
          return id
        })
    })
    return {
      embeddedOptions,
      directory,
      fixture: Layer.succeed(EmbeddedFixture, { repository, stateDirectory, agentTokens }),
      seams: Layer.merge(Layer.succeed(Ids, ids), embeddedFaults(faults))
    }
  })

/** An embedded Coder in this process, with a repository around it. */
export const embedded = (
  options: FixtureOptions = {}
): Layer.Layer<HttpClient.HttpClient | CoderConfig | EmbeddedFixture> =>
  Layer.unwrapScoped(
    Effect.map(surroundings(options), ({ embeddedOptions, fixture, seams }) =>
      Layer.merge(fixture, EmbeddedCoder.layer(embeddedOptions).pipe(Layer.provide(seams)))
    )
  )

/**
 * A client of the HTTP app itself. `watch` sees the body of each request that reaches it, and the answer, which settles
 * when the app is done with the request, whether or not the client still waits for it.
 */
export const clientInProcess = (
  watch: (body: string, answered: Promise<Response>) => void = () => undefined
): Effect.Effect<HttpClient.HttpClient, never, CoderApp> =>
  Effect.gen(function* () {
    const { httpApp } = yield* CoderApp
    // As the product has it: the span of a request would hold its token.
    const untraced = yield* Effect.runtime().pipe(HttpMiddleware.withTracerDisabledWhenEffect(() => true))
    const handle = HttpApp.toWebHandlerRuntime(untraced)(httpApp)
    const fetch = HttpClient.withTracerDisabledWhen(yield* HttpClient.HttpClient, () => true)
    return HttpClient.make((request) =>
      Effect.provideService(fetch.execute(request), FetchHttpClient.Fetch, (input, init) => {
        const answered = handle(new Request(input, init))
        watch(init?.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : "", answered)
        return answered
      })
    )
  }).pipe(Effect.provide(FetchHttpClient.layer))

/** Where an embedded Coder keeps what it knows. */
type Stores = Layer.Layer<ConversationStore | RowStore>

/** Stores that fail and forget as the product's do: never, and with the process. */
const storesInMemory: Stores = Layer.provideMerge(layerStoredConversations, RowStore.layerMemory)

/** An embedded Coder over stores, and a client of its HTTP app. */
export const appAndClient = (
  options: EmbeddedOptions
): Layer.Layer<CoderApp | HttpClient.HttpClient | CoderConfig, never, ConversationStore | RowStore> =>
  Layer.merge(
    CoderConfig.layer({ url: new URL("http://coder.test"), sessionToken }),
    Layer.provideMerge(Layer.effect(HttpClient.HttpClient, clientInProcess()), CoderApp.layer(options))
    // As the product has it: the span of a request would hold its token.
  ).pipe(HttpMiddleware.withTracerDisabledWhen(() => true))

/** The same, with its HTTP app itself, which takes requests as no client would write them, and with its stores. */
export const embeddedApp = (
  options: FixtureOptions = {},
  stores: Stores = storesInMemory
): Layer.Layer<CoderApp | HttpClient.HttpClient | CoderConfig | EmbeddedFixture> =>
  Layer.unwrapScoped(
    Effect.map(surroundings(options), ({ embeddedOptions, fixture, seams }) => {
      return Layer.mergeAll(fixture, Layer.provide(appAndClient(embeddedOptions), [seams, stores]))
    })
  )

/** The same on a Unix socket, and a client of that. */
export const embeddedOverSocket = (
  options: FixtureOptions = {}
): Layer.Layer<HttpClient.HttpClient | CoderConfig | EmbeddedFixture> =>
  Layer.unwrapScoped(
    Effect.map(surroundings(options), ({ directory, embeddedOptions, fixture, seams }) => {
      const path = join(directory, "coder.sock")
      return Layer.mergeAll(
        fixture,
        CoderConfig.layer({ url: new URL("http://coder.test"), sessionToken }),
        socketHttpClient(path).pipe(
          Layer.provideMerge(
            EmbeddedCoder.layerServer(embeddedOptions).pipe(Layer.provide([seams, listening({ path })]))
          )
        )
      )
    })
  )

/** Every request that has reached an embedded Coder, as `METHOD /path`. */
export class ReceivedRequests extends Context.Tag("fleet-mcp/test/support/EmbeddedFixture/ReceivedRequests")<
  ReceivedRequests,
  ReadonlyArray<string>
>() {}

/** The same on a port of the loopback, where other processes reach it too. */
export const embeddedOverPort = (
  options: FixtureOptions = {}
): Layer.Layer<HttpClient.HttpClient | CoderConfig | EmbeddedFixture | ReceivedRequests> =>
  Layer.unwrapScoped(
    Effect.map(surroundings(options), ({ embeddedOptions, fixture, seams }) => {
      const requests: Array<string> = []
      const config = Layer.unwrapEffect(
        HttpServer.addressFormattedWith((address) =>
          Effect.succeed(CoderConfig.layer({ url: new URL(address), sessionToken }))
        )
      )
      const server = listening({ host: "127.0.0.1", port: 0 }, (request) => requests.push(request))
      return Layer.mergeAll(
        fixture,
        FetchHttpClient.layer,
        Layer.succeed(ReceivedRequests, requests),
        Layer.merge(config, EmbeddedCoder.layerServer(embeddedOptions)).pipe(Layer.provide([seams, server]))
      )
    })
  )

/** A server that listens, and tells of each request. Connections that are open do not keep it from closing. */
const listening = (
  where: ListenOptions,
  onRequest: (request: string) => void = () => undefined
): Layer.Layer<HttpServer.HttpServer> =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.sync(() => createServer().on("request", ({ method, url }) => onRequest(`${method} ${url}`))),
      (server) => {
        const hangUp = Layer.scopedDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections())))
        return Layer.provideMerge(
          hangUp,
          NodeHttpServer.layer(() => server, where)
        )
      }
    )
  ).pipe(Layer.orDie)
