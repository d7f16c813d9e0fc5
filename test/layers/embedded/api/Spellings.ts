/** A way to write a request target so that a router, or a guard, may take it for another. */
export interface Spelling {
  readonly name: string
  readonly of: (path: string) => string
}

const percent = (text: string): string => `%${text.charCodeAt(0).toString(16).padStart(2, "0")}`
const letter = (index: number) => (path: string) => {
  const at = [...path.matchAll(/[a-z]/gi)][index]?.index ?? 1
  return path.slice(0, at) + percent(path.charAt(at)) + path.slice(at + 1)
}
const last = (path: string, by: string) => path.replace(/\/(?=[^/]*$)/, by)

/** Thirty spellings, the usual one first. */
export const spellings: ReadonlyArray<Spelling> = [
  { name: "as it is", of: (path) => path },
  { name: "first letter encoded", of: letter(0) },
  { name: "third letter encoded", of: letter(2) },
  { name: "every letter encoded", of: (path) => path.replaceAll(/[a-z]/gi, percent) },
  { name: "encoded in upper case", of: (path) => path.replaceAll(/[a-z]/gi, (text) => percent(text).toUpperCase()) },
  { name: "encoded twice", of: (path) => letter(0)(path).replace("%", "%25") },
  { name: "leading slash doubled", of: (path) => `/${path}` },
  { name: "every slash doubled", of: (path) => path.replaceAll("/", "//") },
  { name: "every slash threefold", of: (path) => path.replaceAll("/", "///") },
  { name: "upper case", of: (path) => path.toUpperCase() },
  { name: "first letter upper case", of: (path) => path.replace(/[a-z]/, (text) => text.toUpperCase()) },
  { name: "absolute", of: (path) => `http://coder.test${path}` },
  { name: "absolute, https, upper case", of: (path) => `https://CODER.TEST${path.toUpperCase()}` },
  { name: "absolute, with a user", of: (path) => `http://x@coder.test${path}` },
  { name: "absolute, query in the host", of: (path) => `http://coder.test?x${path}` },
  { name: "a dot segment first", of: (path) => `/.${path}` },
  { name: "a dot segment inside", of: (path) => last(path, "/./") },
  { name: "up and down again", of: (path) => `/x/..${path}` },
  { name: "up and down again, encoded", of: (path) => `/x/%2e%2e${path}` },
  { name: "from the open route upwards", of: (path) => `/api/v2/buildinfo/../../..${path}` },
  { name: "trailing slash", of: (path) => `${path}/` },
  { name: "trailing dot", of: (path) => `${path}.` },
  { name: "trailing space, encoded", of: (path) => `${path}%20` },
  { name: "a semicolon and more", of: (path) => `${path};x=/api/v2/buildinfo` },
  { name: "a fragment", of: (path) => `${path}#/api/v2/buildinfo` },
  { name: "last slash encoded", of: (path) => last(path, "%2f") },
  { name: "last slash a backslash", of: (path) => last(path, "\\") },
  { name: "a zero byte, encoded", of: (path) => `${path}%00` },
  { name: "an empty token in the query", of: (path) => `${path}?coder_session_token=` },
  { name: "another route in the query", of: (path) => `${path}?/api/v2/buildinfo&_method=GET&coder_session_token` }
]
