import { Schema } from "effect"
import { notApplied } from "../Outcome.ts"
import { listed, quoted } from "../Text.ts"
import type { NextStep } from "./NextStep.ts"

/** No usable project has that name. */
export class ProjectNotFound extends Schema.TaggedError<ProjectNotFound>()("ProjectNotFound", {
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** Why there is none at all, where the server says so; else "". */
  note: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request", "list_projects"]
  }
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `There is no project ${quoted(this.project)}. Projects: ${listed(this.available)}.${why}`
  }
}

/** Several projects have that name; `candidates` are `organization/template` names, which are unique. */
export class ProjectAmbiguous extends Schema.TaggedError<ProjectAmbiguous>()("ProjectAmbiguous", {
  project: Schema.String,
  candidates: Schema.Array(Schema.String),
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request", "list_projects"]
  }
  override get message() {
    return `Several projects are called ${quoted(this.project)}. Pass one of these instead: ${listed(this.candidates)}.`
  }
}

/** The project has no role of that name. */
export class RoleNotFound extends Schema.TaggedError<RoleNotFound>()("RoleNotFound", {
  role: Schema.String,
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** What the project says about itself; it may say how roles come to be. */
  note: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["change_request", "list_roles"]
  }
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `Project ${quoted(this.project)} has no role ${quoted(this.role)}. Roles: ${listed(this.available)}.${why}`
  }
}

/** The role sets the prompt parameter by itself, and a preset beats the caller's value: the task would be lost. */
export class RoleSetsPrompt extends Schema.TaggedError<RoleSetsPrompt>()("RoleSetsPrompt", {
  role: Schema.String,
  project: Schema.String,
  parameter: Schema.String,
  outcome: notApplied
}) {
  get next(): ReadonlyArray<NextStep> {
    return ["list_roles", "mend_cause"]
  }
  override get message() {
    return `Role ${quoted(this.role)} of project ${quoted(this.project)} sets the parameter ${quoted(this.parameter)} itself, so your task would be lost. Nothing was created.`
  }
}
