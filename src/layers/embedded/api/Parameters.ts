import type { BuildParameter } from "../../../schemas/coder/Builds.ts"
import type { Preset } from "../../../schemas/coder/Templates.ts"
import type { Project } from "../engine/Catalog.ts"

/**
 * The parameter values of a build: for each declared parameter the preset's value, else the one given, else that of the
 * build before, else the default. What is not declared is dropped (recording: create.json, "preset beats value").
 */
export const parametersOf = (
  { parameters }: Pick<Project, "parameters">,
  from: {
    readonly preset?: Preset | undefined
    readonly given?: ReadonlyArray<BuildParameter> | undefined
    readonly before?: ReadonlyArray<BuildParameter> | undefined
  }
): ReadonlyArray<BuildParameter> => {
  const preset = from.preset?.Parameters?.map(({ Name, Value }) => ({ name: Name, value: Value }))
  const sources = [preset, from.given, from.before]
  return parameters.map(({ default_value, name }) => {
    const found = sources.flatMap((values) => values?.filter((parameter) => parameter.name === name) ?? [])
    return { name, value: found[0]?.value ?? default_value }
  })
}
