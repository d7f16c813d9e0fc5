// The Effect language service's diagnostics (severities: tsconfig.base.json), without the rules that do not hold at a place.
import { relative } from "node:path"
import { filesIn, root, runNode } from "./run.mjs"

const edge = ["asyncFunction", "globalTimers", "newPromise", "processEnv", "strictEffectProvide"]

const exceptions = [
  { path: /^src\/(main\.ts$|commands\/)/, rules: edge },
  {
    path: /^(test|bench|examples)\/|^vitest\.config\.ts$/,
    rules: [
      ...edge,
      "anyUnknownInErrorContext",
      "deterministicKeys",
      "effectFnOpportunity",
      "globalConsole",
      "globalConsoleInEffect",
      "globalDate",
      "globalDateInEffect",
      "globalErrorInEffectCatch",
      "globalErrorInEffectFailure",
      "globalFetch",
      "globalFetchInEffect",
      "globalTimersInEffect",
      "leakingRequirements",
      "multipleEffectProvide",
      "processEnvInEffect",
      "runEffectInsideEffect",
      "schemaSyncInEffect",
      "tryCatchInEffectGen"
    ]
  }
]

const excepted = (file, rule) => exceptions.some(({ path, rules }) => path.test(file) && rules.includes(rule))

const output = runNode(
  "node_modules/@effect/language-service/cli.js",
  ["diagnostics", "--project", "tsconfig.json", "--format", "json"],
  { stdio: ["ignore", "pipe", "inherit"], okay: [0, 1] }
)
const { diagnostics, summary } = JSON.parse(output)

const faults = diagnostics
  .map((diagnostic) => ({ ...diagnostic, file: relative(root, diagnostic.file) }))
  .filter(({ file, name }) => !excepted(file, name))
  .toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line)

for (const { column, file, line, message, name } of faults) console.log(`${file}:${line}:${column} ${name}: ${message}`)

const sources = filesIn("src", ".ts").length
if (summary.filesChecked < sources) console.log(`effect: checked ${summary.filesChecked} of ${sources} files in src`)
console.log(`effect: ${faults.length} faults in ${summary.filesChecked} files`)
process.exitCode = faults.length > 0 || summary.filesChecked < sources ? 1 : 0
