import { Context, Duration } from "effect"
import type { EventRows } from "./EventLog.ts"
import type { HeldRowsOptions } from "./HeldRows.ts"

/** What the store keeps, and how often a change is tried that must not be lost. Read once, when a layer is made. */
export class StoreLimits extends Context.Reference<StoreLimits>()("fleet-mcp/layers/embedded/store/StoreLimits", {
  defaultValue: () => ({
    /** Reports of a workspace over all its builds; the oldest go first, here and below. */
    appStatuses: 1000,
    /** Lines of the log of one build. */
    buildLog: 1000,
    /** Lines of the log of one agent. */
    agentLog: 1000,
    /** Builds of a workspace; at least 1. With a build go its log, its agent and the agent's log. */
    builds: 100,
    /** Turns of a workspace. */
    turns: 1000,
    /** Idempotency keys, and how long they are known. */
    keys: 10_000,
    keyTime: Duration.hours(24),
    /** Workspaces that are deleted, with everything about them. */
    deletedWorkspaces: 100,
    /** Events of agents, about 1 kB each, and how old they become; the newest of each agent stays. */
    events: 30_000,
    eventAge: Duration.days(7),
    /** Changes of rows kept for those who follow them. */
    changes: 10_000,
    /** Characters of text in those changes: a build holds the task that it was given. */
    changeCharacters: 16 * 1024 * 1024,
    /** How often a change that must not be lost is tried again, and how long the first wait is; each next is twice it. */
    retries: 8,
    retryDelay: Duration.millis(100)
  })
}) {}

/** What is kept of commits and of events. */
export const capacitiesOf = (
  { changeCharacters, changes, eventAge, events }: StoreLimits["Type"],
  rows: EventRows
): Pick<HeldRowsOptions, "capacity" | "events"> => ({
  capacity: { changes, characters: changeCharacters },
  events: { capacity: { events, age: eventAge }, rows }
})
