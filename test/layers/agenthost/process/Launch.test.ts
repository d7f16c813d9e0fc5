import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { Writable } from "node:stream"
import { launch, scriptEnd } from "../../../../src/layers/agenthost/process/Launch.ts"

/** What a shell makes of a script of which this much arrives; its watchdog ends with the descriptor. */
const arrives = (text: string) =>
  Effect.async<{ readonly code: number | null; readonly output: string }>((resume) => {
    const child = spawn("/bin/sh", launch({ script: text }, true), {
      env: { PATH: process.env["PATH"] },
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"]
    })
    let output = ""
    child.stdout?.on("data", (bytes: Buffer) => (output += bytes.toString()))
    child.once("exit", () => child.stdio[3]?.destroy())
    child.once("close", (code) => resume(Effect.succeed({ code, output })))
    if (child.stdio[4] instanceof Writable) child.stdio[4].end(text)
  })

describe("a script that comes through a descriptor", () => {
  it.live("is run when all of it has arrived, and not at all before", () =>
    Effect.gen(function* () {
      const script = "echo one; echo two"
      expect(yield* arrives(script + scriptEnd)).toEqual({ code: 0, output: "one\ntwo\n" })
      for (const part of ["", "echo one", script, script + scriptEnd.slice(0, -1)]) {
        expect({ part, ...(yield* arrives(part)) }).toEqual({ part, code: 126, output: "" })
      }
    })
  )
})
