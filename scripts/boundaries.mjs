// Checks the rules of .dependency-cruiser.cjs, and that every file of src was looked at.
import { cruise } from "dependency-cruiser"
import extractOptions from "dependency-cruiser/config-utl/extract-depcruise-options"
import extractTSConfig from "dependency-cruiser/config-utl/extract-ts-config"
import { filesIn, root } from "./run.mjs"

process.chdir(root)
const options = await extractOptions("./.dependency-cruiser.cjs")
const { output } = await cruise(["src"], options, undefined, { tsConfig: extractTSConfig("./tsconfig.json") })
if (typeof output === "string") throw new TypeError("dependency-cruiser answered with text")
const { modules, summary } = output

for (const { cycle, from, rule, to, via } of summary.violations) {
  const way = (cycle ?? via ?? []).map(({ name }) => name)
  console.log(`${rule.name}: ${from} -> ${way.length > 0 ? way.join(" -> ") : to}`)
}

const cruised = modules.filter(({ source }) => /^src\/.*\.ts$/.test(source)).length
const sources = filesIn("src", ".ts").length
console.log(`boundaries: ${summary.violations.length} violations, looked at ${cruised} of ${sources} files in src`)
process.exitCode = summary.violations.length > 0 || cruised < sources || sources === 0 ? 1 : 0
