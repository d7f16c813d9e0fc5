import { createHash, randomBytes } from "node:crypto"
import { appendFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describeFinding, makeScan, scanTree, type Canary } from "./Canary.ts"

// `npm test` names a directory and a seed for the whole run: every process of it derives the same secrets, all that the
// run leaves stays there, and at its end none of the secrets may be found in it (scripts/test.mjs).

const run = process.env["FLEET_MCP_TEST_RUN"]

/** Whether this is part of a whole run. */
export const keeping = run !== undefined
const seed = process.env["FLEET_MCP_TEST_SEED"] ?? randomBytes(16).toString("hex")

const derived = (name: string): string => createHash("sha256").update(`${seed} ${name}`).digest("hex").slice(0, 32)

/** The secrets of the test helpers: no output and no file of any test holds them. */
export const secrets = {
  coderToken: `CANARYTOKEN-${derived("coderToken")}`,
  embeddedToken: `fixture000-${derived("embeddedToken").slice(0, 22)}`,
  mainToken: `main-token-${derived("mainToken")}`,
  readToken: `read-token-${derived("readToken")}`,
  operateToken: `operate-token-${derived("operateToken")}`,
  approveToken: `approve-token-${derived("approveToken")}`,
  providerKey: `sk-${derived("providerKey")}/+="&%`
} as const

/** Keeps what somebody said for the end of the run. */
export const keep = (sink: string, text: string): void => {
  if (run !== undefined) appendFileSync(join(run, `${sink}.${process.pid}.log`), text)
}

/** Removes a directory of a test; in a whole run, at its end. */
export const discard = (directory: string): void => {
  if (run === undefined) rmSync(directory, { recursive: true, force: true })
}

/** The secrets that are in what a run has left, one line each. */
export const findSecrets = (directory: string): ReadonlyArray<string> => {
  const canaries = Object.entries(secrets).map(([name, value]): Canary => ({ name, value }))
  return scanTree(makeScan(canaries), directory).map(describeFinding)
}
