// Who may import whom. Every folder may import itself.
const { builtinModules } = require("node:module")

const schemas = "schemas/"
const tools = "tools/"
const commands = "commands/"
const main = "main\\.ts$"
const fleetMcp = "layers/FleetMcp\\.ts$"
const config = "layers/config/"
const time = "layers/time/"
const clients = "layers/clients/"
const repositories = "layers/repositories/"
const services = "layers/services/"
const agenthost = "layers/agenthost/"
const embedded = "layers/embedded/"
const auth = "layers/auth/"
const transports = "layers/transports/"
const observability = "layers/observability/"

const mayImport = {
  schemas: [schemas],
  config: [config, schemas],
  time: [time],
  clients: [clients, config, schemas, time],
  repositories: [repositories, clients, config, schemas, time],
  services: [services, repositories, config, schemas, time],
  observability: [observability, config],
  agenthost: [agenthost, schemas, config, time],
  embedded: [embedded, agenthost, schemas, config, time],
  auth: [auth, schemas, config],
  tools: [tools, services, schemas],
  transports: [transports, tools, services, auth, config, schemas, time],
  "fleet-mcp": [config, time, clients, repositories, services, agenthost, auth, transports, observability, tools],
  main: [commands, fleetMcp, transports, config, observability]
}

const folders = {
  schemas,
  config,
  time,
  clients,
  repositories,
  services,
  observability,
  agenthost,
  embedded,
  auth,
  tools,
  transports,
  "fleet-mcp": fleetMcp,
  main
}

const inSrc = (...paths) => paths.map((path) => `^src/${path}`)
const npm = (...names) => names.map((name) => `(^|/)node_modules/${name}`)
const onlyIn = (name, packages, ...paths) => ({
  name,
  severity: "error",
  from: { path: "^src/", pathNot: inSrc(...paths) },
  to: { path: npm(...packages) }
})

const mcpSdk = "@modelcontextprotocol/sdk/"
const platformNode = "@effect/platform-node(-shared)?/"
const builtins = `^(node:)?(${builtinModules.filter((name) => !name.startsWith("_")).join("|")})$`

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).map(([folder, allowed]) => ({
      name: `${folder}-imports`,
      severity: "error",
      from: { path: inSrc(folders[folder]) },
      to: { path: "^src/", pathNot: inSrc(...allowed) }
    })),
    {
      name: "services-speak-the-fleets-terms",
      comment: "What an agent is on the wire is held by services, and looked into by repositories alone.",
      severity: "error",
      from: { path: inSrc(services) },
      to: { path: inSrc(`${schemas}coder/`, `${schemas}agentapi/`, `${repositories}FoundAgent\\.ts$`) }
    },
    {
      name: "every-file-is-in-a-folder-with-rules",
      severity: "error",
      from: { path: "^src/", pathNot: inSrc(...Object.values(folders), commands) },
      to: {}
    },
    {
      name: "main-loads-commands-lazily",
      severity: "error",
      from: { path: inSrc(main) },
      to: { path: inSrc(commands), dynamic: false }
    },
    {
      name: "src-imports-only-src",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(?!src/|node_modules/)", dependencyTypes: ["local"] }
    },
    onlyIn("mcp-sdk-in-transports", [mcpSdk], transports, `${tools}Tool\\.ts$`, `${commands}(Demo\\.ts$|demo/)`),
    {
      name: "mcp-sdk-types-only-in-tools",
      severity: "error",
      from: { path: inSrc(tools) },
      to: { path: npm(mcpSdk), dependencyTypesNot: ["type-only"] }
    },
    onlyIn("acp-sdk-in-agenthost", ["@agentclientprotocol/sdk/"], agenthost),
    onlyIn("database-in-the-store", ["@photostructure/sqlite/"], `${embedded}store/sqlite/`),
    onlyIn("platform-node-at-the-edges", [platformNode], main, commands, transports, `${agenthost}process/`),
    {
      name: "entry-stays-portable",
      comment: 'The package entry "." reaches no Node builtin, MCP SDK, platform-node or embedded Coder.',
      severity: "error",
      from: { path: inSrc(fleetMcp) },
      to: { reachable: true, path: [builtins, ...npm(mcpSdk, platformNode), ...inSrc(embedded)] }
    },
    {
      name: "library-imports-what-it-installs",
      comment: "Development packages are bundled into the program; the library's modules may not import them.",
      severity: "error",
      from: { path: "^src/", pathNot: inSrc(main, commands) },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm", "npm-peer"] }
    },
    {
      name: "only-declared-packages",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] }
    },
    { name: "no-cycles", severity: "error", from: { path: "^src/" }, to: { circular: true } },
    { name: "no-unresolved", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"]
    }
  }
}
