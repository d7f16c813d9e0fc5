import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { elements } from "./elements.ts"
import { UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

/** A template. `display_name` may be `""` and is not unique (recording: templates.json). */
export const Template = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  display_name: Schema.String,
  description: Schema.String,
  organization_id: Schema.String,
  organization_name: Schema.String,
  active_version_id: Schema.String,
  deprecated: Schema.optionalWith(Schema.Boolean, { exact: true }),
  deprecation_message: Schema.optionalWith(Schema.String, { exact: true })
})
export type Template = typeof Template.Type

/** A version of a template; `job.status` is its import. */
export const TemplateVersion = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  template_id: Schema.optionalWith(Schema.String, { exact: true }),
  job: Schema.Struct({ status: Schema.String })
})
export type TemplateVersion = typeof TemplateVersion.Type

/** A parameter of a template version. All values travel as strings. */
export const RichParameter = Schema.Struct({
  name: Schema.String,
  type: Schema.String,
  description: Schema.String,
  default_value: Schema.String,
  required: Schema.Boolean,
  mutable: Schema.Boolean,
  ephemeral: Schema.Boolean
})
export type RichParameter = typeof RichParameter.Type

/** A preset of a template version; Coder spells its keys with capitals. */
export const Preset = Schema.Struct({
  ID: Schema.String,
  Name: Schema.String,
  Description: Schema.String,
  Default: Schema.Boolean,
  Parameters: Schema.NullOr(Schema.Array(Schema.Struct({ Name: Schema.String, Value: Schema.String })))
})
export type Preset = typeof Preset.Type

/** The presets of a version: the body is `null` when there are none (recording: templates.json, "presets, none"). */
export const Presets = Schema.transform(Schema.NullOr(Schema.Array(Preset)), Schema.typeSchema(Schema.Array(Preset)), {
  strict: true,
  decode: (presets) => presets ?? [],
  encode: (presets) => (presets.length === 0 ? null : presets)
})

const version = HttpApiSchema.param("version", Segment)

/** Templates, their versions, parameters and presets. `list` leaves deprecated ones out unless `q` asks for them. */
export const Templates = HttpApiGroup.make("templates")
  .add(
    HttpApiEndpoint.get("list", "/api/v2/templates")
      .setUrlParams(Schema.Struct({ q: Schema.optional(Schema.String) }))
      .addSuccess(elements(Template))
  )
  .add(HttpApiEndpoint.get("version")`/api/v2/templateversions/${version}`.addSuccess(TemplateVersion))
  .add(
    HttpApiEndpoint.get("richParameters")`/api/v2/templateversions/${version}/rich-parameters`.addSuccess(
      Schema.Array(RichParameter)
    )
  )
  .add(HttpApiEndpoint.get("presets")`/api/v2/templateversions/${version}/presets`.addSuccess(Presets))
  .middleware(UserSession)
