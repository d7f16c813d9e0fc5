import { Config, ConfigError, Either, Option, Redacted } from "effect"

// How every variable is read: what is blank counts as unset, and no error repeats a value, for it may be a secret.

/** The error of a variable. It names the variable: its message is all that is shown. */
export const invalid = (name: string, problem: string) =>
  Either.left(ConfigError.InvalidData([name], `${name} ${problem}`))

const isBlank = (value: string): boolean => value.trim() === ""

/** A text without the spaces around it. */
export const text = (name: string): Config.Config<string | undefined> =>
  Config.string(name).pipe(
    Config.withDefault(""),
    Config.map((value) => (isBlank(value) ? undefined : value.trim()))
  )

/** A secret, exactly as it is. */
export const secret = (name: string): Config.Config<Redacted.Redacted | undefined> =>
  Config.redacted(name).pipe(
    Config.option,
    Config.map(Option.filter((value) => !isBlank(Redacted.value(value)))),
    Config.map(Option.getOrUndefined)
  )

/** `true` or `false`, in any case. */
export const flag = (name: string, byDefault: boolean): Config.Config<boolean> =>
  Config.mapOrFail(text(name), (value) => {
    const word = value?.toLowerCase()
    if (word === undefined) return Either.right(byDefault)
    if (word === "true" || word === "false") return Either.right(word === "true")
    return invalid(name, `is neither true nor false; unset, it is ${byDefault}`)
  })

/** The parts of a text between separators, without the spaces around them; those that are empty are left out. */
export const list = (name: string, separator: string | RegExp): Config.Config<ReadonlyArray<string>> =>
  Config.map(text(name), (value = "") =>
    value
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== "")
  )
