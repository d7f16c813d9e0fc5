// Runs what test/faults/ does to supervisors and stores, as often as is asked: `npm run faults -- crash --cycles 500`.
import { build } from "esbuild"
import { join } from "node:path"
import { root, runNode } from "./run.mjs"

// Inside the project, so that packages resolve, and as deep as test/support/, from where the built program is found.
const outfile = join(root, "node_modules/.cache/fleet-mcp-faults.mjs")

runNode("scripts/ensure-built.mjs")
await build({
  absWorkingDir: root,
  entryPoints: ["test/faults/command.ts"],
  outfile,
  bundle: true,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  define: { __FLEET_MCP_VERSION__: JSON.stringify(process.env.npm_package_version ?? "0.0.0") },
  logLevel: "warning"
})
runNode(outfile, process.argv.slice(2))
