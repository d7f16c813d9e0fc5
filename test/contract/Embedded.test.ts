import { embedded, embeddedOverSocket } from "../support/EmbeddedFixture.ts"
import { suite } from "./EmbeddedContract.ts"

suite("the embedded Coder, in process", embedded)
suite("the embedded Coder, over a Unix socket", embeddedOverSocket)
