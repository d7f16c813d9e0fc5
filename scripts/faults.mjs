// Runs what test/faults/ does to supervisors and stores, as often as is asked: `npm run faults -- crash --cycles 500`.
import { join } from "node:path"
import { bundle } from "./bundle.mjs"
import { root, runNode } from "./run.mjs"

// Inside the project, so that packages resolve, and as deep as test/support/, from where the built program is found.
const outfile = join(root, "node_modules/.cache/fleet-mcp-faults.mjs")

runNode("scripts/ensure-built.mjs")
await bundle(["test/faults/command.ts"], { outfile })
runNode(outfile, process.argv.slice(2))
