// A list of 1,000 agents over loopback, against a plain fetch and JSON.parse of the same bytes.
import { fileURLToPath } from "node:url"
import { Effect, ManagedRuntime, Redacted } from "effect"
import * as FleetMcp from "../src/layers/FleetMcp.ts"
import { report } from "./support/report.ts"
import { serve, startCoder } from "./support/coder.ts"

const agents = 1000
const pageSize = 100
const runs = 15

const main = async (): Promise<void> => {
  const coder = await startCoder(fileURLToPath(import.meta.url), agents)
  const runtime = ManagedRuntime.make(
    FleetMcp.layerCoder({ url: new URL(coder.url), sessionToken: Redacted.make("bench-token") })
  )

  const plain = async (): Promise<number> => {
    const start = performance.now()
    const page = async (offset: number) => {
      const response = await fetch(`${coder.url}/api/v2/workspaces?q=owner%3Ame&limit=${pageSize}&offset=${offset}`)
      return JSON.parse(await response.text()) as { readonly workspaces: ReadonlyArray<unknown> }
    }
    const pages = await Promise.all(Array.from({ length: agents / pageSize }, (_, index) => page(index * pageSize)))
    if (pages.flatMap((one) => one.workspaces).length !== agents) throw new Error("the plain list is not whole")
    return performance.now() - start
  }

  const list = Effect.flatMap(FleetMcp.AgentService, (service) => service.list({}))

  const fleet = async (): Promise<number> => {
    const start = performance.now()
    const { total_count } = await runtime.runPromise(list)
    if (total_count !== agents) throw new Error(`the list has ${total_count} agents`)
    return performance.now() - start
  }

  await plain()
  await fleet()
  const counted = await coder.requests()
  await fleet()
  const upstream = (await coder.requests()) - counted - 1
  const figure: Array<number> = []
  const baseline: Array<number> = []
  for (let run = 0; run < runs; run++) {
    baseline.push(await plain())
    figure.push(await fleet())
  }
  report("list", figure, baseline, {
    milestone_ratio: 1.6,
    agents,
    megabytes: Number((coder.bytes / 1024 / 1024).toFixed(1)),
    upstream_requests: upstream
  })
  await runtime.dispose()
  await coder.stop()
}

const child = process.env["BENCH_CODER"]
if (child === undefined) await main()
else serve(Number(child))
