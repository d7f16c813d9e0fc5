/** A message without `params: null`, which some clients send for none and the SDK refuses. */
export const withoutNullParams = (message: unknown): unknown => {
  if (typeof message !== "object" || message === null || !("params" in message) || message.params !== null)
    return message
  const { params: _null, ...rest } = message
  return rest
}
