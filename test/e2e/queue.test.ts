import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { eventually } from "../layers/agenthost/support.ts"
import type { Program } from "../support/Program.ts"
import { SupervisedState } from "../support/SupervisedState.ts"

// Tasks that wait, and repeated calls, over a supervisor that is killed between.

const good = async (program: Program, name: string, args: object = {}): Promise<string> => {
  const { isError, text } = await program.call(name, args)
  if (isError) throw new Error(`${name}: ${text}`)
  return text
}

const untilStatus = async (program: Program, agent_name: string, status: string): Promise<string> => {
  for (;;) {
    const text = await good(program, "show_agent", { agent_name })
    if (text.startsWith(`${agent_name}: ${status}`)) return text
  }
}

describe("a supervisor that is killed", () => {
  it(
    "loses no task that waits, runs none twice or unasked, and knows what keys were used for",
    {
      timeout: 180_000
    },
    async () => {
      await using state = new SupervisedState()
      const order = `${state.directory}/order`
      const ran = () => (existsSync(order) ? readFileSync(order, "utf8").trim().split("\n") : [])
      const worker = { agent_name: "worker" }
      const one = await state.frontEnd()
      const create = {
        name: "worker",
        project: "shop",
        task: `echo first >> ${order}; sleep 600`,
        wait_ready: true,
        idempotency_key: "create"
      }
      await good(one, "create_agent", create)
      await Effect.runPromise(eventually("the first task runs", () => ran().length === 1))
      const queued = (name: string) => ({
        ...worker,
        task_description: `echo ${name} >> ${order}`,
        when_busy: "queue",
        idempotency_key: name
      })
      expect(await good(one, "start_agent_task", queued("second"))).toContain("as task 1: it is the next")
      expect(await good(one, "start_agent_task", queued("third"))).toContain("as task 2: 1 waits before it")
      if (state.pid === undefined) throw new Error("no supervisor")
      process.kill(state.pid, "SIGKILL")

      const cut = await untilStatus(one, "worker", "interrupted")
      expect(cut).toContain("queued tasks: 2, held: the task before them was interrupted")
      expect(cut).toMatch(/\[1\] echo second .*\n {2}\[2\] echo third /)
      // What was done is told again, and nothing is done.
      expect(await good(one, "create_agent", create)).toContain("nothing was done now")
      expect(await good(one, "start_agent_task", queued("third"))).toContain("nothing was done now")
      const other = await one.call("start_agent_task", { ...queued("third"), task_description: "echo other" })
      expect(other.text).toMatch(/^IdempotencyKeyReused: /)

      expect(await good(one, "restart_agent", worker)).toContain("2 queued tasks are kept, and held.")
      expect(await untilStatus(one, "worker", "idle")).toContain("2 queued tasks are held")
      expect(ran()).toEqual(["first"])
      expect(await good(one, "cancel_agent_task", { ...worker, task_id: 2 })).toContain("Task 2 was taken out")
      await good(one, "start_agent_task", {
        ...worker,
        task_description: `echo fourth >> ${order}`,
        when_busy: "interrupt"
      })
      await Effect.runPromise(eventually("what waits has run", () => ran().length === 3))
      expect(ran()).toEqual(["first", "fourth", "second"])
    }
  )
})
