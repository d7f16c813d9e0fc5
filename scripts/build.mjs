// dist/lib: the modules that other services import, by tsc. dist/bin: the bundled program, by esbuild.
import { build } from "esbuild"
import { chmodSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { filesIn, root, runNode } from "./run.mjs"

const started = new Date()
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const define = { __FLEET_MCP_VERSION__: JSON.stringify(version) }

const edit = (file, change) => {
  const path = join(root, file)
  writeFileSync(path, change(readFileSync(path, "utf8")))
}

/**
 * Imports from a package's root become imports of its modules. Otherwise the start of the program would load all that
 * any part of it uses: a root re-exports everything, and what several chunks share is one chunk.
 */
const byModule = {
  name: "by-module",
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, ({ path }) => ({
      loader: "ts",
      contents: `${readFileSync(path, "utf8")}${withStart(path)}`.replaceAll(
        /^import (type )?\{([^}]*)\} from "(effect|@effect\/platform|@effect\/cli)"$/gm,
        (_, typeOnly, names, from) =>
          typeOnly
            ? ""
            : names
                .split(",")
                .map((name) => importModule(name.trim(), from))
                .join(";")
      )
    }))
}

const importModule = (name, from) => {
  if (name === "" || name.startsWith("type ")) return ""
  return /^[a-z]/.test(name)
    ? `import { ${name} } from "effect/Function"`
    : `import * as ${name.replace(/^(\w+) as (\w+)$/, "$2")} from "${from}/${name.replace(/ as \w+$/, "")}"`
}

const start = join(root, "src/commands/Stdio.ts")
const dynamicImports = (file) =>
  Array.from(readFileSync(file, "utf8").matchAll(/\bimport\("(\.[^"]+)"\)/g), ([, to]) => join(file, "..", to))
const loadedLater = new Set(filesIn("src", ".ts").flatMap((file) => dynamicImports(join(root, "src", file))))

/**
 * A module that is loaded later imports what the start over stdio loads, as it would find it anyway: what all parts
 * share is one chunk, so that the start opens four files instead of twenty.
 */
const withStart = (path) => (loadedLater.has(path) && path !== start ? `;import ${JSON.stringify(start)}` : "")

/** The SDK's server loads Ajv to check answers to questions; this server asks none, and gives it a validator of its own. */
const withoutAjv = {
  name: "without-ajv",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /validation\/ajv-provider\.js$/ }, ({ importer, path }) =>
      /server[\\/]index\.js$/.test(importer) ? { path, namespace: "without-ajv" } : undefined
    )
    onLoad({ filter: /.*/, namespace: "without-ajv" }, () => ({ contents: "export class AjvJsonSchemaValidator {}" }))
  }
}

rmSync(join(root, "dist"), { recursive: true, force: true })

runNode("node_modules/typescript/bin/tsc", ["--project", "tsconfig.build.json"])
for (const file of filesIn("dist/lib", ".js")) {
  for (const [name, value] of Object.entries(define)) edit(`dist/lib/${file}`, (text) => text.replaceAll(name, value))
}

await build({
  absWorkingDir: root,
  entryPoints: { "fleet-mcp": "src/main.ts" },
  outdir: "dist/bin",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "linked",
  define,
  plugins: [byModule, withoutAjv],
  // It finds its native part by its own place.
  external: ["@photostructure/sqlite"],
  // Its other form loads its own parts in a way that cannot be bundled.
  alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
  // Bundled CommonJS modules call require.
  banner: {
    js: 'import{createRequire as __fleetCreateRequire}from"node:module";const require=__fleetCreateRequire(import.meta.url);'
  },
  // Imports by withStart are meant to run nothing.
  logOverride: { "ignored-bare-import": "silent" },
  logLevel: "warning"
})

const program = "dist/bin/fleet-mcp.js"
edit(program, (text) => `#!/usr/bin/env node\n${text}`)
chmodSync(join(root, program), 0o755)
// A source that was saved meanwhile is then newer than the program, and the next ensure-built builds again.
utimesSync(join(root, program), started, started)
