import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { CoderClient } from "../../../src/layers/clients/CoderClient.ts"
import { translate } from "../../../src/layers/repositories/translate.ts"
import { tell } from "../../../src/tools/Messages.ts"
import { clientsOver } from "../../support/clients.ts"
import { me } from "../../support/CoderModel.ts"
import { serveTls } from "../../support/TlsCoder.ts"

const get = Effect.flatMap(CoderClient, (coder) => coder.users.user({ path: { user: "me" } }))
const post = Effect.flatMap(CoderClient, (coder) =>
  coder.workspaces.create({ path: { user: "me" }, payload: { name: "bot" } })
)

describe("a certificate that nothing here trusts", () => {
  it.scopedLive("is told with NODE_EXTRA_CA_CERTS; nothing was sent, and a read is not repeated", () =>
    Effect.gen(function* () {
      const server = yield* serveTls({ "/api/v2/users/me": me })
      const clients = clientsOver(server.url, FetchHttpClient.layer)
      for (const call of [Effect.asVoid(get), Effect.asVoid(post)]) {
        const before = server.connections()
        const error = yield* Effect.flip(call).pipe(Effect.provide(clients))
        assert.deepInclude(error, {
          reason: "unreachable",
          code: "DEPTH_ZERO_SELF_SIGNED_CERT",
          untrusted: true,
          notProcessed: true
        })
        assert.strictEqual(server.connections() - before, 1)
        const told = translate("create the agent")(error)
        assert.deepInclude(told, { fault: "untrusted_certificate", outcome: "not_applied" })
        assert.include(tell(told).message, "NODE_EXTRA_CA_CERTS")
      }
      assert.deepStrictEqual(server.asked, [])
    })
  )
})
