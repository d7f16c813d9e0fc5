const without = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && name in value && Reflect.get(value, name) === null
    ? Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
    : value

/** A message without `params: null` and `arguments: null`, which some clients send for none and the SDK refuses. */
export const withoutNulls = (message: unknown): unknown => {
  const cleaned = without(message, "params")
  if (typeof cleaned !== "object" || cleaned === null || !("params" in cleaned)) return cleaned
  const params = without(cleaned.params, "arguments")
  return params === cleaned.params ? cleaned : { ...cleaned, params }
}
