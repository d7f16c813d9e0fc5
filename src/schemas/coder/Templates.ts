import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { Schema } from "effect"
import { AnswerSize } from "../EndpointPolicy.ts"
import { elements, flag, readable, shown } from "./elements.ts"
import { UserSession } from "./Security.ts"
import { Segment } from "./Segment.ts"

/** A template. `display_name` may be `""` and is not unique (recording: templates.json). */
export const Template = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  display_name: shown,
  description: shown,
  organization_id: shown,
  organization_name: shown,
  active_version_id: Schema.String,
  deprecated: Schema.optionalWith(Schema.Boolean, { exact: true, nullable: true }),
  deprecation_message: Schema.optionalWith(Schema.String, { exact: true, nullable: true })
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
  type: shown,
  description: shown,
  default_value: shown,
  required: flag,
  mutable: flag,
  ephemeral: flag
})
export type RichParameter = typeof RichParameter.Type

/** A preset of a template version; Coder spells its keys with capitals. */
export const Preset = Schema.Struct({
  ID: Schema.String,
  Name: Schema.String,
  Description: shown,
  Default: flag,
  Parameters: Schema.optionalWith(
    Schema.Union(Schema.Null, readable(Schema.Struct({ Name: Schema.String, Value: Schema.String }))),
    { default: () => null }
  )
})
export type Preset = typeof Preset.Type

/** The presets of a version: the body is `null` when there are none (recording: templates.json, "presets, none"). */
export const Presets = Schema.transform(Schema.NullOr(Schema.Array(Schema.Unknown)), readable(Preset), {
  strict: true,
  decode: (presets) => presets,
  encode: (presets) => (presets?.length === 0 ? null : presets)
})

const version = HttpApiSchema.param("version", Segment)

/** Templates, their versions, parameters and presets. `list` leaves deprecated ones out unless `q` asks for them. */
export const Templates = HttpApiGroup.make("templates")
  .add(
    HttpApiEndpoint.get("list", "/api/v2/templates")
      .setUrlParams(Schema.Struct({ q: Schema.optional(Schema.String) }))
      .addSuccess(elements(Template))
      .annotate(AnswerSize, "many")
  )
  .add(HttpApiEndpoint.get("version")`/api/v2/templateversions/${version}`.addSuccess(TemplateVersion))
  .add(
    HttpApiEndpoint.get("richParameters")`/api/v2/templateversions/${version}/rich-parameters`.addSuccess(
      readable(RichParameter)
    )
  )
  .add(HttpApiEndpoint.get("presets")`/api/v2/templateversions/${version}/presets`.addSuccess(Presets))
  .middleware(UserSession)
