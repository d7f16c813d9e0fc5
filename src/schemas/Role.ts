import { Schema } from "effect"

/** A way to set up an agent of a project: a preset of the template version. `default` marks the one taken unasked. */
export const Role = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  description: Schema.String,
  project_id: Schema.String,
  project_name: Schema.String,
  default: Schema.Boolean
})
export interface Role extends Schema.Schema.Type<typeof Role> {}
