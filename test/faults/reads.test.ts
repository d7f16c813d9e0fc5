import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { FleetServices } from "../../src/layers/FleetMcp.ts"
import { AgentService } from "../../src/layers/services/AgentService.ts"
import { ProjectService } from "../../src/layers/services/ProjectService.ts"
import { TaskService } from "../../src/layers/services/TaskService.ts"
import { tell } from "../../src/tools/Messages.ts"
import { token } from "../support/CoderModel.ts"
import { elapse, inFleet, makeFleet, settle } from "../support/fleet.ts"
import {
  answer,
  dropBefore,
  hangBefore,
  html,
  json,
  refused,
  truncatedAfter,
  type Fault
} from "../support/ScriptedCoder.ts"

// Every call that only reads against every fault: it ends within its time, in a typed error that helps, without hiding
// a secret in it or hammering the server; and the next one works.

type Failure = { readonly _tag: string; readonly message: string }

const page = { page: 1, page_size: 10 }
const reads: ReadonlyArray<readonly [string, Effect.Effect<unknown, Failure, FleetServices>]> = [
  ["list agents", Effect.flatMap(AgentService, (agents) => agents.list({}))],
  ["show", Effect.flatMap(AgentService, (agents) => agents.show("bot"))],
  ["projects", Effect.flatMap(ProjectService, (projects) => projects.list)],
  ["roles", Effect.flatMap(ProjectService, (projects) => projects.roles("claude-code"))],
  ["history", Effect.flatMap(TaskService, (tasks) => tasks.history("bot", page))],
  ["log", Effect.flatMap(TaskService, (tasks) => tasks.log("bot", page))]
]

const text = (content: string) =>
  answer({ status: 200, text: content, headers: { "content-type": "application/json" } })

const faults: ReadonlyArray<readonly [string, Fault, string]> = [
  ["no connection", refused, "CoderUnavailable"],
  ["a broken connection", dropBefore, "CoderUnavailable"],
  ["a truncated answer", truncatedAfter, "CoderUnavailable"],
  ["silence", hangBefore, "CoderUnavailable"],
  ["401", answer(json(401, { message: "You are signed out or your session has expired." })), "CoderUnauthorized"],
  ["403", answer(json(403, { message: "Forbidden.", detail: "no" })), "CoderForbidden"],
  ["404, no such route", answer(json(404, { message: "Route not found." })), "CoderRejected"],
  ["429 for a minute", answer(json(429, { message: "slow" }, { "retry-after": "60" })), "CoderRateLimited"],
  ["500", answer(json(500, { message: "oh" }, { "x-coder-request-id": "request-9" })), "CoderUnavailable"],
  ["599", answer(json(599, { message: "oh" })), "CoderUnavailable"],
  ["a page with 200", answer(html(200)), "CoderUnavailable"],
  ["a page with 502", answer(html(502)), "CoderUnavailable"],
  ["a redirect to sign in", answer(html(303, { location: "https://sso.test/" })), "CoderUnavailable"],
  ["an empty answer", answer({ status: 200 }), "unreadable"],
  ["null", text("null"), "unreadable"],
  ["a string", text('"workspaces"'), "unreadable"],
  ["half of the JSON", text('{"workspaces":[{"id":'), "unreadable"],
  ["JSON of great depth", text(`{"deep":${"[".repeat(100_000)}${"]".repeat(100_000)}}`), "unreadable"],
  ["invalid UTF-8 and a NUL", text('{"id":"\ufffd\u0000"'), "unreadable"],
  ["17 MiB", text(`"${"x".repeat(17 * 1024 * 1024)}"`), "CoderUnavailable"]
]

/** Nothing listens, or only a proxy does. */
const restarting = new Set(["no connection", "a page with 502"])

/** What a wrong shape becomes: one workspace cannot be read, all else is Coder's fault. */
const expected = (tag: string, read: string): string => {
  if (tag === "unreadable") return ["show", "history", "log"].includes(read) ? "AgentUnreadable" : "CoderUnavailable"
  if (tag === "CoderRejected" && ["show", "history", "log"].includes(read)) return "AgentNotFound"
  return tag
}

for (const [name, read] of reads) {
  describe.concurrent(`${name} against`, () => {
    for (const [what, fault, tag] of faults) {
      it.effect(`${what}: ${expected(tag, name)}`, () => {
        const fleet = makeFleet()
        fleet.coder.add("bot")
        // The user is looked up beside the workspace; its failure would hide the other.
        fleet.proxy.on(/^GET (?!.*users\/me$)/, fault)
        return inFleet(
          fleet,
          Effect.gen(function* () {
            const { exit, took } = yield* elapse(Effect.flip(read))
            const error = yield* exit
            assert.strictEqual(error._tag, expected(tag, name), error.message)
            assert.isAtMost(took, 30_000)
            assert.notInclude(JSON.stringify(error) + error.message, token)
            assert.isBelow(error.message.length, 2000)
            // oxlint-disable-next-line no-control-regex
            assert.notMatch(error.message, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
            const asked = new Map<string, number>()
            for (const { method, path, query } of fleet.proxy.received) {
              const one = `${method} ${path}?${query.toString()}`
              asked.set(one, (asked.get(one) ?? 0) + 1)
            }
            // A server that is being restarted is waited for, ever more slowly.
            assert.isAtMost(Math.max(...asked.values()), restarting.has(what) ? 12 : 3)
            // The next call works.
            fleet.proxy.on(/./, (forward) => forward)
            yield* settle(read)
          })
        )
      })
    }
  })
}

describe("what a user reads", () => {
  const message = (fault: Fault) =>
    Effect.gen(function* () {
      const fleet = makeFleet()
      fleet.proxy.on(/./, fault)
      const list = Effect.flatMap(AgentService, (agents) => agents.list({}))
      return tell(yield* inFleet(fleet, settle(Effect.flip(list)))).message
    })

  const cases: ReadonlyArray<readonly [string, Fault, RegExp]> = [
    ["no connection: look at CODER_URL", refused, /ECONNREFUSED.*CODER_URL/],
    [
      "an expired token: make a new one",
      answer(json(401, { message: "API key expired." })),
      /API key expired.*CODER_SESSION_TOKEN/
    ],
    ["a sign-in page: the URL", answer(html(303)), /redirected to another page.*CODER_URL/],
    ["a page: the URL", answer(html(200)), /text\/html.*CODER_URL/],
    [
      "an internal error: the request id",
      answer(json(500, { message: "oh" }, { "x-coder-request-id": "id-7" })),
      /id-7/
    ],
    ["a limit: when to try again", answer(json(429, { message: "m" }, { "retry-after": "60" })), /60 s/]
  ]
  for (const [what, fault, words] of cases) {
    it.effect(what, () => Effect.map(message(fault), (said) => assert.match(said, words)))
  }
})
