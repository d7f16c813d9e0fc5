import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { CatalogLimits } from "../../../src/layers/embedded/engine/Catalog.ts"
import type { Template } from "../../../src/schemas/coder/Templates.ts"
import { EmbeddedFixture, embedded, makeRepository, silence } from "../../support/EmbeddedFixture.ts"
import { git } from "../agenthost/support.ts"
import { get, send } from "./Requests.ts"

type TemplateBody = typeof Template.Type

const templates = (query = "") => get<ReadonlyArray<TemplateBody>>(`/api/v2/templates?q=${encodeURIComponent(query)}`)
const presetsOf = ({ active_version_id }: TemplateBody) => get(`/api/v2/templateversions/${active_version_id}/presets`)
const createFrom = ({ id }: TemplateBody, name = "x") =>
  send<{ readonly message: string; readonly detail?: string }>("POST", "/api/v2/users/me/workspaces", {
    body: { name, template_id: id }
  })

const noRole =
  "No role is offered: start fleet-mcp with --allow-shell, or set FLEET_MCP_ALLOW_SHELL=true, for the role shell; it runs commands with your rights."

it.live("the repository of the working directory is the project, also from a folder within", () =>
  Effect.gen(function* () {
    const [template, ...others] = yield* templates()
    assert(template !== undefined)
    assert.deepStrictEqual(others, [])
    assert.deepInclude(template, {
      name: "sample",
      display_name: "sample",
      organization_name: "local",
      deprecated: false
    })
    assert.deepStrictEqual(yield* get(`/api/v2/templateversions/${template.active_version_id}`), {
      id: template.active_version_id,
      name: "1",
      template_id: template.id,
      job: { status: "succeeded" }
    })
    assert.deepStrictEqual(yield* get(`/api/v2/templateversions/${template.active_version_id}/rich-parameters`), [
      {
        name: "AI Prompt",
        type: "string",
        description: "The first task of the agent",
        default_value: "",
        required: false,
        mutable: true,
        ephemeral: false
      }
    ])
  }).pipe(
    Effect.provide(embedded({ allowShell: true, workingDirectory: (directory) => join(directory, "sample", "src") }))
  )
)

it.live("without allowShell there is no role: the description says how to get one, and create is refused", () =>
  Effect.gen(function* () {
    const [template] = yield* templates()
    assert(template !== undefined)
    assert.strictEqual(template.description, noRole)
    assert.isNull(yield* presetsOf(template))
    const answer = yield* createFrom(template)
    assert.deepStrictEqual([answer.status, answer.body.message], [400, noRole])
  }).pipe(Effect.provide(embedded()))
)

it.live("several projects: names by Coder's rule, unique; display names as given; a preset of another is taken", () =>
  Effect.gen(function* () {
    const all = yield* templates()
    assert.deepStrictEqual(
      all.map(({ display_name, name }) => [name, display_name]),
      [
        ["create-2", "Create"],
        ["my-project", "My Project!"],
        ["my-project-2", "my_project"],
        ["project", "日本"]
      ]
    )
    const named = (query: string) => Effect.map(templates(query), (found) => found.map(({ name }) => name))
    assert.deepStrictEqual(yield* named("exact_name:my-project"), ["my-project"])
    assert.deepStrictEqual(yield* named("name:my"), ["my-project", "my-project-2"])
    assert.deepStrictEqual(yield* named('"my project"'), ["my-project"])
    assert.deepStrictEqual(yield* named("deprecated:true"), [])
    assert.deepStrictEqual(yield* named("has-ai-task:true"), [])

    const [first, second] = all
    assert(first !== undefined && second !== undefined)
    const [preset] = (yield* presetsOf(second)) as ReadonlyArray<{ readonly ID: string }>
    const { status } = yield* send("POST", "/api/v2/users/me/workspaces", {
      body: { name: "x3", template_id: first.id, template_version_preset_id: preset?.ID }
    })
    assert.strictEqual(status, 201)
  }).pipe(
    Effect.provide(
      embedded({
        allowShell: true,
        projects: (directory) =>
          ["My Project!", "my_project", "日本", "Create"].map((name) => ({
            name,
            directory: join(directory, "sample")
          }))
      })
    )
  )
)

const unusable = (directory: string) => {
  mkdirSync(join(directory, "plain"))
  mkdirSync(join(directory, "empty"))
  git(join(directory, "empty"), "init", "--quiet")
  git(directory, "clone", "--quiet", "--bare", "sample", "bare")
  return [
    { name: "plain", directory: join(directory, "plain") },
    { name: "empty", directory: join(directory, "empty") },
    { name: "bare", directory: join(directory, "bare") },
    { name: "root", directory: "/" },
    { name: "home", directory },
    { name: "missing", directory: join(directory, "missing") },
    { name: "good", directory: join(directory, "sample") }
  ]
}

it.live("directories that are no usable projects are deprecated templates that say why", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(
      (yield* templates()).map(({ name }) => name),
      ["good"]
    )
    const deprecated = yield* templates("deprecated:true")
    const reasons = Object.fromEntries(deprecated.map(({ deprecation_message, name }) => [name, deprecation_message]))
    const expected = {
      bare: /bare repository/,
      empty: /no commits/,
      home: /home directory/,
      missing: /no such directory/,
      plain: /not a git repository/,
      root: /root of the file system/
    }
    assert.deepStrictEqual(Object.keys(reasons), Object.keys(expected))
    for (const [name, pattern] of Object.entries(expected)) assert.match(reasons[name] ?? "", pattern)

    for (const template of deprecated) {
      const { body, status } = yield* createFrom(template)
      assert.strictEqual(status, 400)
      assert.strictEqual(
        body.message,
        `Template "${template.name}" has been deprecated, and cannot be used to create a new workspace.`
      )
      assert.strictEqual(body.detail, template.deprecation_message)
    }
  }).pipe(
    Effect.provide(
      embedded({
        allowShell: true,
        projects: unusable,
        environment: (directory) => ({ PATH: process.env["PATH"] ?? "", HOME: directory })
      })
    )
  )
)

const silent = (directory: string) => ({ name: "silent", directory: join(directory, "silent") })

/** Longer than a busy machine takes for a look, and shorter than git may take. */
const patience = Duration.seconds(5)

it.live("a project whose disk does not answer is told as such in time, and keeps no other from being used", () =>
  Effect.gen(function* () {
    const { repository } = yield* EmbeddedFixture
    yield* silence(makeRepository(join(dirname(repository), "silent")))
    const look = Effect.all([templates(), templates("deprecated:true")])
    const [[good], [template]] = yield* Effect.timeout(look, "50 seconds")
    assert.strictEqual(good?.name, "good")
    assert.match(template?.deprecation_message ?? "", /silent cannot be looked at: nothing came within 5s/)
    // The look that goes on is not waited for again.
    assert.strictEqual((yield* Effect.timeout(look, "4 seconds"))[1][0]?.id, template?.id)
  }).pipe(
    Effect.scoped,
    Effect.provide(
      embedded({
        allowShell: true,
        projects: (directory) => [silent(directory), { name: "good", directory: join(directory, "sample") }]
      }).pipe(
        Layer.provide(
          Layer.effect(
            CatalogLimits,
            Effect.map(CatalogLimits, (limits) => ({ ...limits, time: patience }))
          )
        )
      )
    )
  )
)
