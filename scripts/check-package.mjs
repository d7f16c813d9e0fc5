// Packs the package, checks what is in it, installs it into an empty folder and uses it there as its users do.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { root, run, runNode } from "./run.mjs"

const fail = (reason) => {
  throw new Error(`package: ${reason}`)
}

const quiet = { stdio: ["ignore", "pipe", "pipe"] }

const allowed = [
  /^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/,
  /^dist\/bin\/.*\.js(\.LEGAL\.txt)?$/,
  /^dist\/lib\/.*\.(js|d\.ts)$/
]

/** The tarball's name, after a look at every file in it. */
const pack = (folder) => {
  const [{ filename, files }] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], quiet))
  for (const { path } of files) {
    if (!allowed.some((pattern) => pattern.test(path))) fail(`${path} does not belong in it`)
    if (readFileSync(join(root, path), "utf8").includes(root)) fail(`${path} names a folder of this machine`)
  }
  return { tarball: join(folder, filename), count: files.length }
}

const lint = async (tarball) => {
  const bytes = readFileSync(tarball)
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) }
  })
  for (const message of messages) console.error(formatMessage(message, pkg))
  if (messages.length > 0) fail("publint has something to say")
}

/** Installs into a folder that has a package.json, and looks for a second copy of Effect. */
const install = (tarball, folder) => {
  run("npm", ["install", "--no-audit", "--no-fund", tarball], { ...quiet, cwd: folder })
  const copies = readdirSync(join(folder, "node_modules"), { recursive: true, encoding: "utf8" }).filter((path) =>
    /(^|node_modules\/)effect\/package\.json$/.test(path)
  )
  if (copies.length !== 1) fail(`copies of effect: ${copies.join(", ")}`)
}

const emptyFolder = (folder) => {
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  return folder
}

/** The example of a service that embeds the fleet: its types, its exact unions of errors, and its tests. */
const embedding = (tarball, folder) => {
  cpSync(join(root, "examples/embedding"), folder, { recursive: true })
  install(tarball, folder)
  for (const script of ["check", "test"]) run("npm", ["run", "--silent", script], { ...quiet, cwd: folder })
}

/** What the export map offers can be imported, and nothing else. */
const importable = (folder) => {
  const program = `
    const yes = ["fleet-mcp", "fleet-mcp/embedded", "fleet-mcp/mcp", "fleet-mcp/schemas"]
    const no = ["fleet-mcp/layers/FleetMcp", "fleet-mcp/dist/lib/layers/FleetMcp.js", "fleet-mcp/tools/Tool", "fleet-mcp/schemas/coder/CoderApi"]
    for (const name of yes) await import(name)
    for (const name of no) {
      const code = await import(name).then(() => "imported", (error) => error.code)
      if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(name + ": " + code)
    }`
  runNode("--input-type=module", ["--eval", program], { ...quiet, cwd: folder })
}

/** `npx fleet-mcp` answers `initialize`, and ends when its input does. */
const initialize = async (folder) => {
  const child = spawn("npx", ["--no-install", "fleet-mcp"], {
    cwd: folder,
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 20_000
  })
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "check-package", version: "0.0.0" }
  }
  const exit = once(child, "exit")
  child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`)
  const { value: answer } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  child.stdin.end()
  const [code] = await exit
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const { name, version: answered } = JSON.parse(answer ?? "{}").result?.serverInfo ?? {}
  if (code !== 0 || name !== "fleet-mcp" || answered !== version) fail(`exit code ${code}, initialize: ${answer}`)
}

runNode("scripts/ensure-built.mjs")
const folder = mkdtempSync(join(tmpdir(), "fleet-mcp-package-"))
try {
  const { count, tarball } = pack(folder)
  await lint(tarball)
  const user = emptyFolder(join(folder, "user"))
  install(tarball, user)
  importable(user)
  await initialize(user)
  embedding(tarball, join(folder, "desk"))
  console.log(`package: ${count} files, installed and answering; examples/embedding passes its checks beside it`)
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
