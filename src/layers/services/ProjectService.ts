import { Context, Effect, Layer } from "effect"
import type { CoderFailure, DeadlineExceeded } from "../../schemas/errors/Coder.ts"
import type { ProjectAmbiguous, ProjectNotFound } from "../../schemas/errors/Project.ts"
import type { Project } from "../../schemas/Project.ts"
import type { Role } from "../../schemas/Role.ts"
import { ProjectRepository } from "../repositories/ProjectRepository.ts"
import { reading } from "./deadlines.ts"

export interface ProjectList {
  readonly projects: ReadonlyArray<Project>
  /** What was left out and why; else `""`. */
  readonly note: string
}

export interface RoleList {
  readonly project: Project
  readonly roles: ReadonlyArray<Role>
  /** Why the list is empty, in the project's own words; else `""`. */
  readonly note: string
}

export type ProjectListFailure = CoderFailure | DeadlineExceeded
export type RoleListFailure = CoderFailure | ProjectNotFound | ProjectAmbiguous | DeadlineExceeded

/** What agents can be created for, and in which roles. */
export class ProjectService extends Context.Tag("fleet-mcp/layers/services/ProjectService")<
  ProjectService,
  {
    readonly list: Effect.Effect<ProjectList, ProjectListFailure>
    /** `project` is a display name or name, or `organization/template`; case does not matter. */
    readonly roles: (project: string) => Effect.Effect<RoleList, RoleListFailure>
  }
>() {
  static readonly layer: Layer.Layer<ProjectService, never, ProjectRepository> = Layer.effect(
    this,
    Effect.gen(function* () {
      const repository = yield* ProjectRepository

      const list = repository.list.pipe(
        Effect.map(({ note, projects }) => ({ projects: projects.map(({ project }) => project), note })),
        reading("list the projects"),
        Effect.withSpan("ProjectService.list")
      )

      const roles = Effect.fn("ProjectService.roles")(
        function* (name: string) {
          const found = yield* repository.find(name)
          const { project } = found
          const offered = found.roles.map(({ role }) => role)
          return { project, roles: offered, note: offered.length === 0 ? project.description : "" }
        },
        (effect, name) => reading(`list the roles of ${name}`)(effect)
      )

      return { list, roles }
    })
  )
}
