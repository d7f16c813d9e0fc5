/** From package.json: replaced by the build, and by vitest. */
declare const __FLEET_MCP_VERSION__: string
