import { build } from "esbuild"
import { root } from "./run.mjs"

/** Bundles programs of ours that are no part of the package. `output`: esbuild's `outfile`, or `outdir`, inside the project, so that packages resolve. */
export const bundle = (entryPoints, output) =>
  build({
    absWorkingDir: root,
    entryPoints,
    ...output,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    define: { __FLEET_MCP_VERSION__: JSON.stringify(process.env.npm_package_version ?? "0.0.0") },
    logLevel: "warning"
  })
