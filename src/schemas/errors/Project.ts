import { Schema } from "effect"

const list = (names: ReadonlyArray<string>): string => (names.length === 0 ? "none" : names.join(", "))

/** No usable project has that name. */
export class ProjectNotFound extends Schema.TaggedError<ProjectNotFound>()("ProjectNotFound", {
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** Why there is none at all, where the server says so; else "". */
  note: Schema.String
}) {
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `There is no project ${JSON.stringify(this.project)}. Projects: ${list(this.available)}.${why} Call list_agent_projects for more.`
  }
}

/** Several projects have that name; `candidates` are `organization/template` names, which are unique. */
export class ProjectAmbiguous extends Schema.TaggedError<ProjectAmbiguous>()("ProjectAmbiguous", {
  project: Schema.String,
  candidates: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Several projects are called ${JSON.stringify(this.project)}. Pass one of these instead: ${list(this.candidates)}.`
  }
}

/** The project has no role of that name. */
export class RoleNotFound extends Schema.TaggedError<RoleNotFound>()("RoleNotFound", {
  role: Schema.String,
  project: Schema.String,
  available: Schema.Array(Schema.String),
  /** What the project says about itself; it may say how roles come to be. */
  note: Schema.String
}) {
  override get message() {
    const why = this.note === "" ? "" : ` ${this.note}`
    return `Project ${JSON.stringify(this.project)} has no role ${JSON.stringify(this.role)}. Roles: ${list(this.available)}.${why} Call list_agent_roles for more.`
  }
}

/** The role sets the prompt parameter by itself, and a preset beats the caller's value: the task would be lost. */
export class RoleSetsPrompt extends Schema.TaggedError<RoleSetsPrompt>()("RoleSetsPrompt", {
  role: Schema.String,
  project: Schema.String,
  parameter: Schema.String
}) {
  override get message() {
    return `Role ${JSON.stringify(this.role)} of project ${JSON.stringify(this.project)} sets the parameter ${JSON.stringify(this.parameter)} itself, so your task would be lost. Nothing was created. Choose another role (list_agent_roles), or take the parameter out of the preset.`
  }
}
