import { Option } from "effect"
import { mkdtempSync, readFileSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isAlive } from "../layers/agenthost/support.ts"
import { makeRepository } from "./EmbeddedFixture.ts"
import { Program, type StartOptions } from "./Program.ts"
import { discard } from "./Secrets.ts"

const read = (file: string) => Option.getOrUndefined(Option.liftThrowable(() => readFileSync(file, "utf8"))())

/** A state directory of a test's own, and the supervisors that work in it. None of them outlives the test. */
export class SupervisedState implements AsyncDisposable {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), "fleet-super-")))
  readonly repository = makeRepository(join(this.directory, "shop"))
  readonly state: string
  readonly #programs: Array<Program> = []
  /** Every supervisor that was seen. */
  readonly seen = new Set<number>()

  constructor(state = "state") {
    this.state = join(this.directory, state)
  }

  file(name: string): string {
    return join(this.state, name)
  }

  get env() {
    return { HOME: this.directory, LOG_LEVEL: "INFO", FLEET_MCP_STATE_DIR: this.state }
  }

  /** A program of this state directory. */
  start({ args = [], cwd = this.repository, env = {} }: StartOptions): Program {
    const program = new Program({
      args,
      cwd,
      supervised: true,
      env: { ...this.env, ...env }
    })
    this.#programs.push(program)
    return program
  }

  /** A front end over stdio that was asked nothing yet. */
  async frontEnd(options: StartOptions = {}): Promise<Program> {
    const program = this.start({ ...options, args: ["--local", "--allow-shell", ...(options.args ?? [])] })
    await program.initialize()
    return program
  }

  /** Runs a command to its end. */
  async run(...args: ReadonlyArray<string>) {
    const program = this.start({ args })
    program.child.stdin.end()
    const { code } = await program.exit
    return { code, stdout: program.lines.join("\n"), stderr: program.stderr }
  }

  /** Ends all front ends. */
  async closeAll(): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]()
  }

  /** The process that says that it supervises. */
  get pid(): number | undefined {
    const text = read(this.file("supervisor.json"))
    if (text === undefined) return undefined
    const { pid } = JSON.parse(text) as { readonly pid: number }
    this.seen.add(pid)
    return pid
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeAll()
    if (this.pid !== undefined) await this.run("stop", "--now")
    const left = [...this.seen].filter((pid) => isAlive(pid))
    for (const pid of left) process.kill(pid, "SIGKILL")
    discard(this.directory)
    if (left.length > 0) throw new Error(`supervisors were left: ${left.join(", ")}`)
  }
}
