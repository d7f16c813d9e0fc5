import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Exit, FastCheck, Scope } from "effect"
import { EventEmitter } from "node:events"
import { makeDisplay, onceLines, type Output } from "../../../src/commands/agents/Display.ts"
import { columnsOf, tableLines } from "../../../src/commands/agents/Table.ts"
import type { AgentView } from "../../../src/schemas/Agent.ts"

const agent = (name: string, more: Partial<AgentView> = {}): AgentView => ({
  name,
  status: "idle",
  role: null,
  project: "shop",
  last_task: null,
  created_at: null,
  evidence: { source: "journal", detail: "its turn ended", observed_at: DateTime.unsafeMake(0) },
  last_status: null,
  metadata: null,
  metadata_count: 0,
  ...more
})

/** A stream that remembers, as a terminal or as a pipe. */
class FakeOutput extends EventEmitter {
  written = ""
  readonly isTTY: boolean
  columns: number
  rows: number
  constructor(isTTY: boolean, columns = 60, rows = 10) {
    super()
    this.isTTY = isTTY
    this.columns = columns
    this.rows = rows
  }
  write(text: string): boolean {
    this.written += text
    return true
  }
  take(): string {
    const taken = this.written
    this.written = ""
    return taken
  }
}
const outputOf = (fake: FakeOutput): Output => fake as unknown as Output

/** What a terminal shows after a text: it knows what the display sends, and fails at anything else. */
const screenOf = (text: string, rows: number): ReadonlyArray<string> => {
  let [lines, row] = [[] as Array<string>, 0]
  // oxlint-disable-next-line no-control-regex
  for (const [, lineUp, command, plain] of text.matchAll(/\u001b\[(\d*)([A-Za-z]|\?25[lh])|([^\u001b]+)/g)) {
    if (plain !== undefined) {
      for (const [index, part] of plain.split("\n").entries()) {
        if (index > 0) row += 1
        const line = part.replaceAll("\r", "")
        if (line !== "") lines[row] = line
      }
    } else if (command === "A") row = Math.max(0, row - Number(lineUp))
    else if (command === "J" && lineUp === "2") lines = []
    else if (command === "J") lines = lines.slice(0, row)
    else if (command === "H") row = 0
    else if (!["K", "?25l", "?25h"].includes(command ?? "")) throw new Error(`unknown: ${command}`)
    assert.isBelow(row, rows)
  }
  return lines
}

describe("the table", () => {
  it.prop(
    "is never wider than its terminal, and holds nothing that moves a cursor",
    [
      FastCheck.array(
        FastCheck.record({ name: FastCheck.string({ unit: "binary" }), task: FastCheck.string({ unit: "binary" }) }),
        { maxLength: 5 }
      ),
      FastCheck.integer({ min: 1, max: 120 })
    ],
    ([given, columns]) => {
      const agents = given.map(({ name, task }) =>
        agent(`${name}漢字\u001b[2J`, { last_task: `${task}\u202e👩‍👩‍👧`, project: task })
      )
      for (const line of tableLines(agents, columns)) {
        assert.isAtMost(columnsOf(line), columns)
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]|\p{Surrogate}/u)
      }
    }
  )

  it("shows name and status where there is room for nothing else, and the task where there is", () => {
    const agents = [agent("fix-login", { status: "busy", last_task: "Fix the login page" }), agent("docs")]
    assert.deepStrictEqual(tableLines(agents, 17), ["AGENT      STATUS", "fix-login  busy", "docs       idle"])
    assert.deepStrictEqual(tableLines(agents, 60), [
      "AGENT      STATUS  PROJECT",
      "fix-login  busy    shop     Fix the login page",
      "docs       idle    shop     its turn ended"
    ])
  })
})

describe("a display", () => {
  it.effect("in a terminal draws the table anew in its place, also in one that becomes smaller", () =>
    Effect.gen(function* () {
      const out = new FakeOutput(true)
      const scope = yield* Scope.make()
      const { show } = yield* Scope.extend(makeDisplay(outputOf(out)), scope)
      let sent = ""
      const names = () => {
        sent += out.take()
        return screenOf(sent, 10).map((line) => line.split(" ")[0])
      }
      yield* show({ agents: ["a", "b", "c"].map((name) => agent(name)), note: "" })
      assert.deepStrictEqual(names(), ["AGENT", "a", "b", "c"])
      yield* show({ agents: [agent("b")], note: "The agents cannot be seen." })
      assert.deepStrictEqual(names(), ["AGENT", "b", "The"])
      yield* show({ agents: Array.from({ length: 30 }, (_, index) => agent(`bot-${index}`)), note: "" })
      assert.deepStrictEqual(names().slice(-2), ["bot-6", "…"])
      out.rows = 4
      out.emit("resize")
      assert.deepStrictEqual(names(), ["AGENT", "bot-0", "…"])
      yield* show({ agents: [], note: "" })
      assert.deepStrictEqual(names(), ["No"])
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(out.written.endsWith("\u001b[?25h"))
      assert.strictEqual(out.listenerCount("resize"), 0)
    })
  )

  it.scoped("elsewhere writes a line for each agent that is otherwise than before", () =>
    Effect.gen(function* () {
      const out = new FakeOutput(false)
      const { show } = yield* makeDisplay(outputOf(out))
      yield* show({ agents: [agent("a"), agent("b\u001b]0;title\u0007")], note: "" })
      assert.strictEqual(out.take(), "a\tidle\tshop\tits turn ended\nb\tidle\tshop\tits turn ended\n")
      yield* show({ agents: [agent("a", { status: "busy", last_task: "x\ny" })], note: "no" })
      assert.strictEqual(out.take(), "a\tbusy\tshop\tx y\nb\tgone\n# no\n")
      yield* show({ agents: [agent("a", { status: "busy", last_task: "x\ny" })], note: "no" })
      assert.strictEqual(out.take(), "")
    })
  )

  it.scoped("knows when nobody reads any more", () =>
    Effect.gen(function* () {
      const out = new FakeOutput(false)
      const { closed } = yield* makeDisplay(outputOf(out))
      out.emit("error", new Error("EPIPE"))
      yield* closed
    })
  )

  it("once: a table in a terminal, whole lines elsewhere, and a word where there is nobody", () => {
    const long = agent("a", { last_task: "word ".repeat(40) })
    assert.isAtMost(
      Math.max(
        ...onceLines({ agents: [long], note: "" }, outputOf(new FakeOutput(true)))
          .split("\n")
          .map(columnsOf)
      ),
      60
    )
    assert.include(onceLines({ agents: [long], note: "" }, outputOf(new FakeOutput(false))), "word ".repeat(40).trim())
    assert.strictEqual(onceLines({ agents: [], note: "why" }, outputOf(new FakeOutput(true))), "No agents.\nwhy")
  })
})
