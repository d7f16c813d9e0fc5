import type { BackendFlags, Environment } from "../layers/config/Backend.ts"

/** What the command line and the environment ask for. */
export interface Settings {
  readonly environment: Environment
  readonly flags: BackendFlags & { readonly allowShell: boolean }
}
