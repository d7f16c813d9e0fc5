import { Schema } from "effect"

/** A way to set up an agent of a project: a preset of the template version. `default` marks the one taken unasked. */
export class Role extends Schema.Class<Role>("fleet-mcp/schemas/Role")({
  id: Schema.String,
  name: Schema.String,
  description: Schema.String,
  project_id: Schema.String,
  project_name: Schema.String,
  default: Schema.Boolean
}) {}
