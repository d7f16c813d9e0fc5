import { onThisMachine, toolsSuite } from "./ToolsSuite.ts"

toolsSuite(onThisMachine(true))
