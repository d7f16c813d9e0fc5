import { expect, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { isAlive } from "../../src/commands/Processes.ts"

it("a process that is dead and not reaped is not alive, whatever a signal tells", async () => {
  // The shell becomes a program that reaps nobody.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec tail -f /dev/null"], {
    stdio: ["ignore", "pipe", "ignore"]
  })
  try {
    const [line] = (await once(createInterface({ input: parent.stdout }), "line")) as [string]
    const pid = Number(line)
    while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve))
    expect(process.kill(pid, 0)).toBe(true)
    expect(isAlive(parent.pid ?? 0)).toBe(true)
  } finally {
    parent.kill("SIGKILL")
  }
  expect(isAlive(process.pid)).toBe(true)
})
