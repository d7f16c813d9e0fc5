// One code path of the suite, which is not used here, imports what Node 20 lacks.
const shim = `data:text/javascript,${encodeURIComponent(
  "export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = () => { throw new Error('needs Node 22') }"
)}`

export const resolve = (specifier, context, next) =>
  specifier === "fs" && context.parentURL?.includes("/@modelcontextprotocol/conformance/")
    ? { url: shim, shortCircuit: true }
    : next(specifier, context)
