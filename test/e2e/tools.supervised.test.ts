import { toolsSuite } from "./ToolsSuite.ts"

toolsSuite(true)
