// Builds when dist is missing or older than what it is made from. The build's output goes to stderr.
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { root, runNode } from "./run.mjs"

const inputs = ["src", "scripts", "package.json", "package-lock.json", "tsconfig.base.json", "tsconfig.build.json"]

const newest = (path) => {
  const stat = statSync(path)
  // A folder counts itself: a removed file changes only its folder.
  const inside = stat.isDirectory() ? readdirSync(path).map((name) => newest(join(path, name))) : []
  return Math.max(stat.mtimeMs, ...inside)
}

const program = join(root, "dist/bin/fleet-mcp.js")
const changed = Math.max(...inputs.map((path) => newest(join(root, path))))

if (!existsSync(program) || statSync(program).mtimeMs < changed) {
  runNode("scripts/build.mjs", [], { stdio: ["ignore", 2, 2] })
}
