import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const path = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const { version } = JSON.parse(readFileSync(path("package.json"), "utf8")) as { readonly version: string }

export default defineConfig({
  define: { __FLEET_MCP_VERSION__: JSON.stringify(version) },
  resolve: {
    alias: [
      { find: /^fleet-mcp$/, replacement: path("src/layers/FleetMcp.ts") },
      { find: /^fleet-mcp\/embedded$/, replacement: path("src/layers/embedded/EmbeddedCoder.ts") },
      { find: /^fleet-mcp\/mcp$/, replacement: path("src/layers/transports/session/McpSession.ts") },
      { find: /^fleet-mcp\/schemas$/, replacement: path("src/schemas/index.ts") }
    ]
  },
  test: {
    setupFiles: ["test/support/recordRun.ts"],
    include: ["test/**/*.test.ts", "examples/**/test/*.test.ts"],
    pool: "forks",
    isolate: true,
    allowOnly: false,
    maxWorkers: 2,
    minWorkers: 1,
    // Only what hangs is to meet these: a machine that is busy with other work takes its time.
    testTimeout: 240_000,
    hookTimeout: 240_000
  }
})
