import { register } from "node:module"

register("./conformance-hook.mjs", import.meta.url)
