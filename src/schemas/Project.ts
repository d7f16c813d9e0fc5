import { Schema } from "effect"

/** Something agents can be created for: a Coder template. `name` is its display name, or its name if it has none. */
export const Project = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  description: Schema.String,
  template_name: Schema.String,
  organization_name: Schema.String
})
export interface Project extends Schema.Schema.Type<typeof Project> {}
