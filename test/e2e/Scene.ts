import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { bearer, send, type Answer, type Sent } from "../layers/transports/http/HttpFixture.ts"
import { canaryValue, describeFinding, makeScan, scanTree, type Canary } from "../support/Canary.ts"
import { Program, type Message, type StartOptions } from "../support/Program.ts"
import { discard } from "../support/Secrets.ts"
import { Sinks, processesFrom, type Started } from "../support/Sinks.ts"

type Environment = Readonly<Record<string, string>>

/** A git that writes down what it is started with. */
const recordingGit = (directory: string) => {
  const git = execFileSync("/bin/sh", ["-c", "command -v git"], { encoding: "utf8" }).trim()
  return `#!/bin/sh\n{ printf '%s\\n' "$@"; env; } >> "${directory}/git.$$"\nexec ${git} "$@"\n`
}

/** What one event stream, or one JSON body, says. */
const messageIn = (body: string): Message => JSON.parse(/^data: (.+)$/m.exec(body)?.[1] ?? body) as Message

/** Canaries, programs that have to do with them, and every place where they could turn up. */
export class Scene implements AsyncDisposable {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), "scene-")))
  readonly home = this.#folder("home")
  readonly spawned = this.#folder("spawned")
  readonly sinks = new Sinks()
  readonly #canaries: Array<Canary> = []
  readonly #allowed: Record<string, ReadonlyArray<string>> = {}
  readonly #programs: Array<Program> = []

  constructor() {
    this.#folder("tmp")
    this.#folder("bin")
    const git = this.file("bin/git", recordingGit(this.spawned))
    chmodSync(git, 0o755)
  }

  #folder(name: string): string {
    const path = join(this.directory, name)
    mkdirSync(path)
    return path
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  file(name: string, content: string): string {
    const path = this.path(name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }

  /** A secret, which may be in its own files and nowhere else. */
  plant(name: string, value: string = canaryValue(), ...ownFiles: ReadonlyArray<string>): string {
    this.#canaries.push({ name, value })
    for (const file of ownFiles) this.#allowed[file] = [...(this.#allowed[file] ?? []), name]
    return value
  }

  start({ args = [], cwd = this.home, env = {} }: StartOptions): Program {
    const program = new Program({
      args,
      cwd,
      env: {
        PATH: `${this.path("bin")}:${process.env["PATH"] ?? ""}`,
        HOME: this.home,
        TMPDIR: this.path("tmp"),
        LOG_LEVEL: "TRACE",
        ...env
      }
    })
    this.#programs.push(program)
    return program
  }

  /** A server, when it listens. */
  async http(options: StartOptions) {
    const program = this.start({ ...options, args: ["http", "--port", "0", ...(options.args ?? [])] })
    const port = await program.until(() => /listens on http:\/\/127\.0\.0\.1:(\d+)\/mcp/.exec(program.stderr)?.[1])
    return { program, url: new URL(`http://127.0.0.1:${port}/mcp`) }
  }

  /** Runs the program to its end, with nothing on stdin; answers its exit code. */
  async run(args: ReadonlyArray<string>, env: Environment = {}): Promise<number | null> {
    const program = this.start({ args, env })
    program.child.stdin.end()
    const { code } = await program.exit
    return code
  }

  /** The same; what it prints is for its caller alone. */
  async ask(args: ReadonlyArray<string>, env: Environment): Promise<string> {
    const program = this.start({ args, env })
    program.child.stdin.end()
    await program.exit
    return program.lines.splice(0).join("\n")
  }

  async send(url: URL, sent: Sent): Promise<Answer> {
    const answer = await send(url, sent)
    this.sinks.add("HTTP answers", [answer.status, ...answer.rawHeaders, answer.body, ""].join("\n"))
    return answer
  }

  /** Calls tools over HTTP as one client; a call answers its text. */
  async session(url: URL, token: string) {
    const headers = [
      bearer(token),
      ["Content-Type", "application/json"],
      ["Accept", "application/json, text/event-stream"]
    ] as const
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } }
    const body = (method: string, params: object) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params })
    const first = await this.send(url, { headers, body: body("initialize", params) })
    const id = String(first.headers["mcp-session-id"])
    const call = async (name: string, args: object = {}): Promise<string> => {
      const sent = {
        headers: [...headers, ["Mcp-Session-Id", id] as const],
        body: body("tools/call", { name, arguments: args })
      }
      return JSON.stringify(messageIn((await this.send(url, sent)).body).result)
    }
    return { headers, id, call }
  }

  /** Looks at a program and what it has started; answers the number of processes. The program's own environment is given. */
  look(program: Program): number {
    const [itself, ...others] = processesFrom(program.child.pid ?? Number.NaN)
    this.sinks.add("arguments", itself?.argv ?? "")
    this.#addProcesses(others)
    return others.length + (itself === undefined ? 0 : 1)
  }

  /** The same for the supervisor of a state directory, whose own environment is looked at, too. */
  lookAtSupervisor(state: string): number {
    const { pid } = JSON.parse(readFileSync(join(state, "supervisor.json"), "utf8")) as { readonly pid: number }
    const processes = processesFrom(pid)
    this.#addProcesses(processes)
    return processes.length
  }

  #addProcesses(processes: ReadonlyArray<Started>): void {
    for (const { argv, environment } of processes) {
      this.sinks.add("arguments", argv)
      this.sinks.add("environments", environment)
    }
  }

  /** Everywhere that a canary is, once all programs have ended. */
  async findings(): Promise<ReadonlyArray<string>> {
    for (const program of this.#programs) {
      await program[Symbol.asyncDispose]()
      this.sinks.add("stdout", `${program.lines.join("\n")}\n`)
      this.sinks.add("stderr", program.stderr)
    }
    const scan = makeScan(this.#canaries)
    return [...this.sinks.findings(scan), ...scanTree(scan, this.directory, this.#allowed)].map(describeFinding)
  }

  get stderr(): string {
    return this.#programs.map(({ stderr }) => stderr).join("")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]()
    discard(this.directory)
  }
}
