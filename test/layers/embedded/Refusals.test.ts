import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { embedded, sessionToken } from "../../support/EmbeddedFixture.ts"
import { build, built, byId, create, send, startBuild, theProject } from "./Requests.ts"

// What Coder v2.31.3 answered in the same situations: recordings create, builds, list, platform and templates.

const missing = "00000000-0000-4000-8000-000000000000"
const noId = "00000000-0000-0000-0000-000000000000"
const notFound = { message: "Resource not found or you do not have access to this resource" }
const activeText = "A workspace build is already active."

const failed = (field: string, tag: string, value: string) => ({
  field,
  detail: `Validation failed for tag "${tag}" with value: "${value}"`
})
const invalid = (...validations: ReadonlyArray<{ readonly field: string; readonly detail: string }>) => ({
  message: "Validation failed.",
  validations
})
const taken = (name: string) => ({
  message: `Workspace "${name}" already exists.`,
  validations: [{ field: "name", detail: "This value is already in use and should be unique." }]
})

const createWith = (body: unknown) => send("POST", "/api/v2/users/me/workspaces", { body })

const expectAnswer = (answer: { readonly status: number; readonly body: unknown }, status: number, body: unknown) => {
  assert.deepStrictEqual(answer.body, body)
  assert.strictEqual(answer.status, status)
}

layer(embedded({ allowShell: true, faults: { hangBuilds: ["hanger"] } }), { excludeTestServices: true })(
  "refusals",
  (it) => {
    for (const name of ["a--b", "-a", "a-", "new", "create", "a_b", "a.b", "a".repeat(33), "ü", "ａ", "", "a b"]) {
      it.effect(`name ${JSON.stringify(name)}`, () =>
        Effect.gen(function* () {
          const { template } = yield* theProject
          const answer = yield* createWith({ name, template_id: template.id })
          expectAnswer(answer, 400, invalid(failed("name", "workspace_name", name)))
        })
      )
    }

    it.effect("neither template nor version, or both", () =>
      Effect.gen(function* () {
        const { template } = yield* theProject
        const ids = { template_id: template.id, template_version_id: template.active_version_id }
        expectAnswer(
          yield* createWith({ name: "x1" }),
          400,
          invalid(
            failed("template_id", "required_without", noId),
            failed("template_version_id", "required_without", noId)
          )
        )
        expectAnswer(
          yield* createWith({ name: "x1", ...ids }),
          400,
          invalid(
            failed("template_id", "excluded_with", ids.template_id),
            failed("template_version_id", "excluded_with", ids.template_version_id)
          )
        )
      })
    )

    it.effect("what does not exist: template, version, preset, user", () =>
      Effect.gen(function* () {
        const { template } = yield* theProject
        expectAnswer(yield* createWith({ name: "x1", template_id: missing }), 400, {
          message: `Template "${missing}" doesn't exist.`,
          validations: [{ field: "template_id", detail: "template not found" }]
        })
        expectAnswer(yield* createWith({ name: "x1", template_version_id: missing }), 400, {
          message: `Template version "${missing}" doesn't exist.`,
          validations: [{ field: "template_version_id", detail: "template version not found" }]
        })
        expectAnswer(
          yield* createWith({ name: "x2", template_id: template.id, template_version_preset_id: missing }),
          500,
          {
            message: "failed to fetch preset parameter values",
            detail: "failed to get preset parameters: sql: no rows in result set"
          }
        )
        const body = { name: "x6", template_id: template.id }
        expectAnswer(yield* send("POST", "/api/v2/users/admin/workspaces", { body }), 404, notFound)
        expectAnswer(yield* send("GET", "/api/v2/users/admin"), 404, notFound)
      })
    )

    it.effect("a name that is taken, in whatever case, by one of eight at once", () =>
      Effect.gen(function* () {
        const { body: first } = yield* create("Bot-1")
        expectAnswer(yield* create("bot-1"), 409, taken("bot-1"))
        const same = yield* send("GET", "/api/v2/users/me/workspace/BOT-1")
        assert.strictEqual((same.body as { readonly id: string }).id, first.id)

        const answers = yield* Effect.all(Effect.replicate(create("racer"), 8), { concurrency: 8 })
        assert.deepStrictEqual(
          answers.map(({ status }) => status).toSorted((a, b) => a - b),
          [201, 409, 409, 409, 409, 409, 409, 409]
        )
      })
    )

    it.effect("a build while another is active", () =>
      Effect.gen(function* () {
        const { body } = yield* create("hanger")
        for (const transition of ["start", "stop", "delete"] as const) {
          expectAnswer(yield* startBuild(body.id, transition), 409, { message: activeText, detail: activeText })
        }
        const { latest_build } = yield* byId(body.id)
        assert.strictEqual(latest_build.status, "starting")
        assert.deepStrictEqual(latest_build.resources, [])
      })
    )

    it.effect("six starts at once: one build", () =>
      Effect.gen(function* () {
        const { body } = yield* create("six")
        yield* built(body.id)
        const answers = yield* Effect.all(Effect.replicate(startBuild(body.id, "start"), 6), { concurrency: 6 })
        assert.strictEqual(answers.filter(({ status }) => status === 201).length, 1)
        assert.strictEqual(answers.filter(({ status }) => status === 409).length, 5)
        const { latest_build } = yield* built(body.id)
        assert.strictEqual(latest_build.build_number, 2)
      })
    )

    it.effect("a workspace that was deleted", () =>
      Effect.gen(function* () {
        const { body } = yield* create("gone")
        yield* built(body.id)
        const deletion = yield* build(body.id, "delete")
        const path = `/api/v2/workspaces/${body.id}`
        expectAnswer(yield* send("GET", path), 410, {
          message: `Workspace "${body.id}" was deleted, you can view this workspace by specifying '?deleted=true' and trying again.`
        })
        assert.strictEqual((yield* byId(body.id)).latest_build.status, "deleted")
        expectAnswer(yield* send("GET", "/api/v2/users/me/workspace/gone"), 404, notFound)
        assert.strictEqual(deletion.status, "deleted")
        for (const transition of ["start", "stop"] as const) {
          expectAnswer(yield* startBuild(body.id, transition), 409, {
            message: `Cannot ${transition} a deleted workspace!`,
            detail: "This workspace has been deleted and cannot be modified."
          })
        }
        const again = yield* startBuild(body.id, "delete")
        assert.deepStrictEqual([again.status, again.body.build_number, again.body.status], [201, 3, "pending"])
        assert.strictEqual((yield* create("GONE")).status, 201)
      })
    )

    it.effect("bad transitions and reasons", () =>
      Effect.gen(function* () {
        const { body } = yield* create("reasons")
        const path = `/api/v2/workspaces/${body.id}/builds`
        yield* built(body.id)
        expectAnswer(
          yield* send("POST", path, { body: { transition: "restart" } }),
          400,
          invalid(failed("transition", "oneof", "restart"))
        )
        expectAnswer(
          yield* send("POST", path, { body: { transition: "start", reason: "fleet" } }),
          400,
          invalid(failed("reason", "oneof", "fleet"))
        )
        const stopped = yield* send<{ readonly reason: string }>("POST", path, {
          body: { transition: "stop", reason: "cli", orphan: false }
        })
        assert.deepStrictEqual([stopped.status, stopped.body.reason], [201, "cli"])
      })
    )

    it.effect("ids that are none, or of nothing", () =>
      Effect.gen(function* () {
        const malformed = { message: 'Invalid UUID "xyz".', detail: "invalid UUID length: 3" }
        const body = { transition: "start" }
        for (const path of ["workspaces/:id", "workspacebuilds/:id", "workspacebuilds/:id/logs"]) {
          expectAnswer(yield* send("GET", `/api/v2/${path.replace(":id", "xyz")}`), 400, malformed)
          expectAnswer(yield* send("GET", `/api/v2/${path.replace(":id", missing)}`), 404, notFound)
        }
        expectAnswer(yield* send("GET", "/api/v2/templateversions/xyz/presets"), 400, malformed)
        expectAnswer(yield* send("GET", `/api/v2/templateversions/${missing}/rich-parameters`), 404, notFound)
        expectAnswer(yield* send("GET", `/api/v2/workspaceagents/${missing}/logs`), 404, notFound)
        expectAnswer(yield* send("POST", `/api/v2/workspaces/${missing}/builds`, { body }), 404, notFound)
        expectAnswer(yield* send("POST", "/api/v2/workspaces/xyz/builds", { body }), 400, malformed)
      })
    )

    it.effect("bodies that are not JSON, or not an object", () =>
      Effect.gen(function* () {
        for (const body of ["{nope", "", "[]", "null", '"text"', "7"]) {
          const answer = yield* createWith(body)
          const { detail, message } = answer.body as { readonly message: string; readonly detail?: string }
          assert.deepStrictEqual([answer.status, message], [400, "Request body must be valid JSON."], body)
          assert.isString(detail)
        }
        expectAnswer(yield* createWith({}), 400, invalid(failed("name", "required", "")))
      })
    )

    it.effect("no such route, also for tasks", () =>
      Effect.gen(function* () {
        const routes = ["/api/v2/no-such-thing", "/api/v2/tasks", "/api/experimental/tasks/me", "/nothing", "/api/v2"]
        for (const path of routes) {
          expectAnswer(yield* send("GET", path), 404, { message: "Route not found." })
        }
        expectAnswer(yield* send("DELETE", "/api/v2/templates"), 404, { message: "Route not found." })
      })
    )

    it.effect("queries", () =>
      Effect.gen(function* () {
        const list = (query: string) => send("GET", `/api/v2/workspaces?${query}`)
        const values = (field: string, detail: string) => ({
          message: "Query parameters have invalid values.",
          validations: [{ field, detail: `Query param "${field}" must be a valid 32-bit positive integer: ${detail}` }]
        })
        const noNumber = 'strconv.ParseInt: parsing "ten": invalid syntax'
        expectAnswer(yield* list("limit=-1"), 400, values("limit", "value is negative"))
        expectAnswer(yield* list("limit=ten"), 400, values("limit", noNumber))
        expectAnswer(yield* list("offset=ten"), 400, values("offset", noNumber))

        const refused = (what: string, field: string, detail: string) => ({
          message: `Invalid ${what} search query.`,
          validations: [{ field, detail }]
        })
        const colour = '"colour" is not a valid query param'
        expectAnswer(yield* list("q=colour:red"), 400, refused("workspace", "colour", colour))
        const templates = yield* send("GET", "/api/v2/templates?q=colour:red")
        expectAnswer(templates, 400, refused("template", "colour", colour))
        expectAnswer(
          yield* list("q=name:a%20name:b"),
          400,
          refused(
            "workspace",
            "name",
            'Query param "name" provided more than once, found 2 times. Only provide 1 instance of this query param.'
          )
        )
        const colons = `Query element "name:a:b" can only contain 1 ':'`
        expectAnswer(yield* list("q=name:a:b"), 400, refused("workspace", "q", colons))
      })
    )

    it.effect("tokens", () =>
      Effect.gen(function* () {
        const path = "/api/v2/users/me"
        const message = "You are signed out or your session has expired. Please sign in again to continue."
        const challenge =
          /^Bearer realm="coder", error="invalid_token", error_description="The access token has expired", resource_metadata="http.*\/\.well-known\/oauth-protected-resource"$/
        const cases = [
          [{}, 'Cookie "coder_session_token" or query parameter must be provided.'],
          [
            { "coder-session-token": "nonsense" },
            "Invalid API key format: incorrect amount of API key parts, expected 2 got 1"
          ],
          [{ "coder-session-token": "abcdefghij-klmnopqrstuvwxyz012345" }, "API key is invalid."]
        ] as const
        for (const [headers, detail] of cases) {
          const answer = yield* send("GET", path, { headers })
          expectAnswer(answer, 401, { message, detail })
          assert.match(answer.headers["www-authenticate"] ?? "", challenge)
        }
        const token = Redacted.value(sessionToken)
        for (const headers of [{ authorization: `Bearer ${token}` }, { cookie: `coder_session_token=${token}` }]) {
          assert.strictEqual((yield* send("GET", path, { headers })).status, 200)
        }
        const headers = { cookie: `coder_session_token=${token}` }
        const byCookie = yield* send("POST", "/api/v2/users/me/workspaces", { body: { name: "x" }, headers })
        assert.strictEqual(byCookie.status, 400)
        assert.match(byCookie.headers["content-type"] ?? "", /^text\/plain/)
      })
    )

    it.effect("every answer carries the version and an id of its own", () =>
      Effect.gen(function* () {
        const answers = yield* Effect.all([send("GET", "/api/v2/buildinfo", { headers: {} }), send("GET", "/nothing")])
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          [200, 404]
        )
        for (const { headers } of answers) assert.match(headers["x-coder-build-version"] ?? "", /^v2\.31\.3/)
        assert.strictEqual(new Set(answers.map(({ headers }) => headers["x-coder-request-id"])).size, 2)
      })
    )
  }
)
