import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { AgentService } from "../../../src/layers/services/AgentService.ts"
import { ProjectService } from "../../../src/layers/services/ProjectService.ts"
import type { ModelTemplate, ModelVersion } from "../../support/CoderModel.ts"
import { failure, inFleet, makeFleet, settle } from "../../support/fleet.ts"
import { answer, hangBefore, json } from "../../support/ScriptedCoder.ts"

const list = Effect.flatMap(ProjectService, (projects) => projects.list)
const roles = (name: string) => Effect.flatMap(ProjectService, (projects) => projects.roles(name))

const prompt: ModelVersion = { parameters: ["AI Prompt"], presets: null }

const fleetOf = (
  templates: ReadonlyArray<Omit<ModelTemplate, "id" | "version"> & { readonly declares?: ModelVersion }>,
  options = {}
) => {
  const fleet = makeFleet({}, options)
  fleet.coder.templates.length = 0
  for (const [index, { declares = prompt, ...template }] of templates.entries()) {
    fleet.coder.templates.push({ ...template, id: `template-${index}`, version: `version-${index}` })
    fleet.coder.versions.set(`version-${index}`, declares)
  }
  return fleet
}

const withOdd = (templates: ReadonlyArray<object>) => [
  ...templates,
  { ...templates[0], id: "t", name: "odd", active_version_id: null }
]

describe.concurrent("projects", () => {
  it.effect("are the templates with a prompt parameter and those configured; the rest is named with its reason", () => {
    const fleet = fleetOf(
      [
        { name: "web", display_name: "Web\u0007site", description: "The\u0007 site" },
        { name: "plain", display_name: "", declares: { parameters: [], presets: null } },
        { name: "chosen", display_name: "", declares: { parameters: [], presets: null } },
        { name: "old", display_name: "Old", deprecated: true, deprecation_message: "use web" }
      ],
      { projects: ["CHOSEN"] }
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, projects } = yield* settle(list)
        assert.deepStrictEqual(
          projects.map(({ description, name, template_name }) => [name, template_name, description]),
          [
            ["Website", "web", "The site"],
            ["chosen", "chosen", ""]
          ]
        )
        assert.include(note, "old (use web)")
        assert.include(note, "plain (no prompt parameter; to use it all the same, add it to FLEET_MCP_PROJECTS)")
      })
    )
  })

  it.effect("none at all: deprecated ones are asked for, to say why", () => {
    const fleet = fleetOf([{ name: "old", display_name: "", deprecated: true, deprecation_message: "gone" }])
    const shown = fleet.coder.templates.splice(0)
    fleet.proxy.on(/GET .*templates$/, (forward, request) =>
      request.urlParams.some(([key]) => key === "q")
        ? Effect.zipRight(
            Effect.sync(() => fleet.coder.templates.push(...shown)),
            forward
          )
        : forward
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, projects } = yield* settle(list)
        assert.deepStrictEqual(projects, [])
        assert.include(note, "old (gone)")
        const error = yield* failure(roles("old"))
        assert.strictEqual(error._tag, "ProjectNotFound")
        assert.include(error.message, "old (gone)")
      })
    )
  })

  it.effect("one that is not in the shape of the contract costs itself alone", () => {
    const fleet = fleetOf([{ name: "web", display_name: "" }])
    fleet.proxy.on(/GET .*templates$/, (forward) =>
      Effect.flatMap(forward, (response) =>
        Effect.flatMap(Effect.orDie(response.json), (whole) =>
          answer(json(200, withOdd(whole as ReadonlyArray<object>)))(forward, response.request)
        )
      )
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, projects } = yield* settle(list)
        assert.deepStrictEqual(
          projects.map(({ name }) => name),
          ["web"]
        )
        assert.include(note, "odd (not in the shape of the contract at: active_version_id)")
      })
    )
  })

  it.effect("one whose version cannot be read is left out with the reason, and looked at again", () => {
    const fleet = fleetOf([
      { name: "web", display_name: "" },
      { name: "api", display_name: "" }
    ])
    fleet.proxy.on(/version-1\/rich/, answer(json(425, { message: "Template version job has not finished" })), 1)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const first = yield* settle(list)
        assert.strictEqual(first.projects.length, 1)
        assert.include(first.note, "has not finished")
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* settle(list)).projects.length, 2)
      })
    )
  })

  it.effect("a broken element of the list costs one project, and is named", () => {
    const fleet = fleetOf([{ name: "web", display_name: "" }])
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`
    fleet.proxy.on(/GET .*templates$/, (forward, request) =>
      Effect.flatMap(forward, (response) =>
        Effect.flatMap(response.text, (text) => {
          const elements = [text.slice(1, -1), '{"name":"odd","id":7}', "null", deep]
          const broken = `[${elements.filter((element) => element !== "").join(",")}]`
          return answer({ status: 200, text: broken, headers: { "content-type": "application/json" } })(
            forward,
            request
          )
        })
      )
    )
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, projects } = yield* settle(list)
        assert.deepStrictEqual(
          projects.map(({ name }) => name),
          ["web"]
        )
        assert.include(note, "odd (not in the shape of the contract at: id)")
      })
    )
  })

  it.effect("versions are read once, however often they are used", () => {
    const fleet = fleetOf([{ name: "web", display_name: "" }])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        yield* settle(Effect.all([list, list, roles("web")], { concurrency: 3 }))
        yield* settle(list)
        assert.strictEqual(fleet.proxy.asked(/templateversions/).length, 2)
      })
    )
  })

  const twins = [
    { name: "web", display_name: "Website", organization_name: "red" },
    { name: "web", display_name: "Website", organization_name: "blue" },
    { name: "api", display_name: "Web" }
  ]

  it.effect("two of one name are candidates, told by organization/name; nothing is created", () => {
    const fleet = fleetOf(twins)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        for (const name of ["website", "WEBSITE"]) {
          const error = yield* failure(
            Effect.flatMap(AgentService, (agents) => agents.create({ name: "bot", project: name, task: "x" }))
          )
          assert.strictEqual(error._tag, "ProjectAmbiguous")
          assert.include(error.message, "red/web, blue/web")
        }
        // "web" is the name of two and the display name of a third.
        assert.strictEqual((yield* failure(roles("web")))._tag, "ProjectAmbiguous")
        assert.deepStrictEqual(fleet.proxy.mutations, [])
      })
    )
  })

  for (const name of ["blue/web", " Blue/WEB ", "BLUE/web"]) {
    it.effect(`${JSON.stringify(name)} is one of the two`, () => {
      const fleet = fleetOf(twins)
      return inFleet(
        fleet,
        Effect.map(settle(roles(name)), ({ project }) => assert.strictEqual(project.organization_name, "blue"))
      )
    })
  }

  it.effect("unknown: the error names all", () => {
    const fleet = fleetOf(twins)
    return inFleet(
      fleet,
      Effect.map(failure(roles("nope")), (error) => {
        assert.strictEqual(error._tag, "ProjectNotFound")
        assert.include(error.message, "Website, Website, Web")
        assert.deepStrictEqual(error.next, ["change_request", "list_projects"])
      })
    )
  })
})

describe.concurrent("roles", () => {
  it.effect("are the presets of the active version", () =>
    inFleet(
      makeFleet(),
      Effect.gen(function* () {
        const { note, project, roles: found } = yield* settle(roles("claude-CODE"))
        assert.strictEqual(project.name, "Claude Code")
        assert.strictEqual(note, "")
        assert.deepStrictEqual(
          found.map((role) => [role.name, role.default, role.project_name]),
          [
            ["coder", true, "Claude Code"],
            ["reviewer", false, "Claude Code"]
          ]
        )
      })
    )
  )

  it.effect("of one project are told while another one's template hangs", () => {
    const fleet = fleetOf([
      { name: "web", display_name: "" },
      { name: "api", display_name: "" }
    ])
    fleet.proxy.on(/version-1\//, hangBefore)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { project } = yield* settle(roles("web"))
        assert.strictEqual(project.name, "web")
        assert.deepStrictEqual(fleet.proxy.asked(/version-1\//), [])
      })
    )
  })

  it.effect("none: the project says why, and create needs none", () => {
    const fleet = fleetOf([{ name: "web", display_name: "", description: "Turn on roles with --allow-x" }])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { note, roles: found } = yield* settle(roles("web"))
        assert.deepStrictEqual([found, note], [[], "Turn on roles with --allow-x"])
        const create = (role?: string) =>
          Effect.flatMap(AgentService, (agents) => agents.create({ name: "bot", project: "web", task: "x", role }))
        const error = yield* failure(create("shell"))
        assert.strictEqual(error._tag, "RoleNotFound")
        assert.include(error.message, "--allow-x")
        assert.strictEqual((yield* settle(create())).outcome, "applied")
        assert.strictEqual(fleet.coder.get("bot").builds[0]?.preset, null)
      })
    )
  })

  it.effect("the default is the preset marked so, else the first", () => {
    const preset = (Name: string, Default = false) => ({ ID: `id-${Name}`, Name, Default })
    const marked = { parameters: ["prompt"], presets: [preset("a"), preset("b", true)] }
    const unmarked = { parameters: ["prompt"], presets: [preset("c"), preset("d")] }
    const fleet = fleetOf([
      { name: "marked", display_name: "", declares: marked },
      { name: "unmarked", display_name: "", declares: unmarked }
    ])
    return inFleet(
      fleet,
      Effect.gen(function* () {
        for (const project of ["marked", "unmarked"]) {
          yield* settle(Effect.flatMap(AgentService, (agents) => agents.create({ name: project, project, task: "x" })))
        }
        assert.strictEqual(fleet.coder.get("marked").builds[0]?.preset, "id-b")
        assert.strictEqual(fleet.coder.get("unmarked").builds[0]?.preset, "id-c")
      })
    )
  })

  it.effect("an agent's role is of the version it was built with", () => {
    const fleet = makeFleet()
    fleet.coder.add("bot")
    fleet.coder.templates[0] = { id: "template-1", name: "claude-code", display_name: "", version: "version-2" }
    fleet.coder.versions.set("version-2", prompt)
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const agent = yield* settle(Effect.flatMap(AgentService, (agents) => agents.show("bot")))
        assert.strictEqual(agent.role, "coder")
      })
    )
  })
})

describe.concurrent("what an older or a newer Coder leaves out", () => {
  it.effect("costs nothing where it is only shown, and one role where a preset is no preset", () => {
    const fleet = makeFleet()
    const presets = [
      { ID: "p-1", Name: "Tester" },
      { Name: "without an id" },
      null,
      { ID: "p-2", Name: "Writer", Default: null }
    ]
    fleet.proxy.on(/presets$/, answer(json(200, presets)))
    fleet.proxy.on(/rich-parameters$/, answer(json(200, [{ name: "AI Prompt", description: null }, {}, 7])))
    return inFleet(
      fleet,
      Effect.gen(function* () {
        const { projects } = yield* settle(list)
        assert.strictEqual(projects.length, 1)
        const found = yield* settle(roles(projects[0]?.name ?? ""))
        assert.sameMembers(
          found.roles.map(({ name }) => name),
          ["Tester", "Writer"]
        )
      })
    )
  })
})
