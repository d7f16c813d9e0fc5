// Runs every benchmark in bench/ (helpers lie in folders below), or those named: `npm run bench -- startup list`.
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { bundle } from "./bundle.mjs"
import { root, runNode } from "./run.mjs"

// Inside the project, so that packages resolve.
const outdir = join(root, "node_modules/.cache/fleet-mcp-bench")

const wanted = process.argv.slice(2)
const names = readdirSync(join(root, "bench"))
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length))
  .filter((name) => wanted.length === 0 || wanted.includes(name))
if (names.length === 0) throw new Error(`no benchmark ${wanted.join(", ")}`)

runNode("scripts/ensure-built.mjs")
rmSync(outdir, { recursive: true, force: true })
await bundle(
  names.map((name) => `bench/${name}.ts`),
  { outdir, outExtension: { ".js": ".mjs" } }
)
for (const name of names) runNode(join(outdir, `${name}.mjs`))
