import { assert, it } from "@effect/vitest"
import { parametersOf } from "../../../../src/layers/embedded/api/Parameters.ts"

const declared = (name: string, default_value: string) => ({
  name,
  default_value,
  type: "string",
  description: "",
  required: false,
  mutable: true,
  ephemeral: false
})

it("the preset beats what is given, that beats the build before, that the default; the undeclared is dropped", () => {
  const values = (value: string, ...names: ReadonlyArray<string>) => names.map((name) => ({ name, value }))
  const parameters = ["a", "b", "c", "d"].map((name) => declared(name, "default"))
  const preset = {
    ID: "1",
    Name: "p",
    Description: "",
    Default: false,
    Parameters: [
      { Name: "a", Value: "preset" },
      { Name: "x", Value: "preset" }
    ]
  }
  const given = values("given", "a", "b", "x")
  assert.deepStrictEqual(
    parametersOf({ parameters }, { preset, given, before: values("before", "a", "b", "c", "x") }),
    [
      { name: "a", value: "preset" },
      { name: "b", value: "given" },
      { name: "c", value: "before" },
      { name: "d", value: "default" }
    ]
  )
  assert.deepStrictEqual(parametersOf({ parameters: [declared("a", "")] }, {}), [{ name: "a", value: "" }])
})
