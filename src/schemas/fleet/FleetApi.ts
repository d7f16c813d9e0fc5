import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { CoderError } from "../coder/CoderError.ts"
import { UserSession } from "../coder/Security.ts"

/**
 * The version of what a front end and a supervisor say to each other. Those of different ones do not work together; the
 * file that tells where a supervisor is, `status` and `stop` keep their form over all versions.
 */
export const fleetContract = 1

/** A client of a supervisor, and what of its surroundings counts for the turns that it starts. */
export const RegisterClient = Schema.Struct({
  /** Chosen by the client, which authenticates its requests with it from now on: as Coder's, and unguessable. */
  token: Schema.Redacted(Schema.String.pipe(Schema.pattern(/^[0-9A-Za-z]{10}-[0-9A-Za-z]{22}$/))),
  /** The git repositories that it names; without them, that of its working directory. */
  projects: Schema.optional(Schema.Array(Schema.Struct({ name: Schema.String, directory: Schema.String }))),
  working_directory: Schema.String,
  /** Said of a working directory that cannot be a project. */
  project_advice: Schema.String,
  allow_shell: Schema.Boolean,
  /** Only what agents may see of it. */
  environment: Schema.Redacted(Schema.Record({ key: Schema.String, value: Schema.String })),
  /** Names of variables that are passed on besides the usual ones. */
  agent_environment: Schema.Array(Schema.String)
})
export type RegisterClient = typeof RegisterClient.Type

/** What a supervisor tells of itself. */
export const SupervisorStatus = Schema.Struct({
  pid: Schema.Number,
  /** ISO 8601. */
  since: Schema.String,
  version: Schema.String,
  contract: Schema.Number,
  clients: Schema.Number,
  /** Names of agents whose turn or build runs. */
  at_work: Schema.Array(Schema.String),
  /** Bytes of the store's files. */
  store_bytes: Schema.Number
})
export type SupervisorStatus = typeof SupervisorStatus.Type

const StopAnswer = Schema.Struct({
  /** False where something is at work, and it was not told to stop all the same. */
  stopping: Schema.Boolean,
  at_work: Schema.Array(Schema.String)
})

/** A project that clients have named, which all of them see. */
export const KnownProject = Schema.Struct({
  name: Schema.String,
  /** What tells it from others of its name, as `project` of the tools. */
  template_name: Schema.String,
  /** Absolute, without symbolic links as it was named. */
  directory: Schema.String,
  /** Why agents cannot work on it now, if so. */
  problem: Schema.NullOr(Schema.String),
  /** Names of its agents. */
  agents: Schema.Array(Schema.String)
})
export type KnownProject = typeof KnownProject.Type

/** Beside Coder's contract, on the same socket: what front ends and commands want of a supervisor itself. */
export const FleetApi = HttpApi.make("fleet")
  .add(
    HttpApiGroup.make("supervisor")
      /** Answers at once, and does not end its answer: the client is registered as long as the connection lasts. */
      .add(
        HttpApiEndpoint.post("register", "/fleet/v1/clients")
          .setPayload(RegisterClient)
          .addSuccess(HttpApiSchema.withEncoding(Schema.String, { kind: "Text" }))
      )
      .add(HttpApiEndpoint.get("status", "/fleet/v1/status").addSuccess(SupervisorStatus))
      .add(
        HttpApiEndpoint.post("stop", "/fleet/v1/stop")
          .setPayload(Schema.Struct({ now: Schema.Boolean }))
          .addSuccess(StopAnswer)
      )
      .add(HttpApiEndpoint.get("projects", "/fleet/v1/projects").addSuccess(Schema.Array(KnownProject)))
      /** Forgets the projects of a folder; refused with 404 where there is none, and with 409 where it has agents. */
      .add(
        HttpApiEndpoint.post("removeProject", "/fleet/v1/projects/remove")
          .setPayload(Schema.Struct({ directory: Schema.String }))
          .addSuccess(Schema.Struct({ removed: Schema.Array(Schema.String) }))
      )
      .middleware(UserSession)
  )
  .addError(CoderError)
