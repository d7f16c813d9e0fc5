import { Backend } from "../layers/config/Backend.ts"

/** Where agents run, as the end of a sentence that begins "Agents run". */
export const place: (backend: Backend) => string = Backend.$match({
  Coder: ({ url }) => `in Coder workspaces of ${url.origin}.`,
  Local: () =>
    "on this machine, with the user's rights: a private fleet in memory, which ends together with this server.",
  Incomplete: ({ problem, remedy }) => `nowhere yet: ${problem} ${remedy}`
})
