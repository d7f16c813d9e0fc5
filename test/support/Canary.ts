import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs"
import { basename, join, relative } from "node:path"
import { gunzipSync } from "node:zlib"

/** A secret that is planted to be looked for wherever it does not belong. */
export interface Canary {
  readonly name: string
  readonly value: string
}

/** `in part`: enough of it to know it by, in a form that has no name here. */
export type Form = "raw" | "URL-encoded" | "JSON-escaped" | "in part" | "hex" | "base64"

/** Where a canary was found. It never holds the value. */
export interface Finding {
  readonly sink: string
  readonly canary: string
  readonly form: Form
}

/** Looks through all that a sink took. */
export type Scan = (sink: string, bytes: Buffer) => ReadonlyArray<Finding>

/** So many characters of a canary that no encoding of text changes, count as the canary. */
const pieceLength = 20

/** A fresh value: letters and digits, with what a format wants around them. */
export const canaryValue = (before = "", after = ""): string =>
  `${before}${randomBytes(48)
    .toString("base64")
    .replaceAll(/[+/]/g, "")
    .slice(0, 2 * pieceLength)}${after}`

const unique = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(texts)]

/** Both ends of the longest part that JSON, URLs and shells leave as it is: one of them may be cut off. */
const piecesOf = ({ name, value }: Canary): ReadonlyArray<string> => {
  const [core = ""] = (value.match(/[\w.~-]+/g) ?? []).toSorted((one, other) => other.length - one.length)
  if (core.length < pieceLength) throw new Error(`the canary ${name} has no ${pieceLength} plain characters in a row`)
  return unique([core.slice(0, pieceLength), core.slice(-pieceLength)])
}

/** What base64 makes of `text` wherever it begins among other bytes: without the groups that it shares with these. */
const base64Of = (text: string): ReadonlyArray<string> =>
  [0, 1, 2].map((skipped) => {
    const whole = Buffer.from(text).subarray(skipped)
    return whole.subarray(0, whole.length - (whole.length % 3)).toString("base64")
  })

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)

/** A value each of whose characters may be written in any of several ways, wherever it begins. */
const written = (value: string, ways: (character: string, hex: string) => ReadonlyArray<string>): RegExp =>
  new RegExp(
    [...value]
      .map((character) => {
        const hex = character.charCodeAt(0).toString(16).padStart(2, "0")
        return `(?:${[character, ...ways(character, hex)].map(literally).join("|")})`
      })
      .join("")
  )

const urlEncoded = (value: string) => written(value, (_, hex) => [`%${hex}`, `%${hex.toUpperCase()}`])

const jsonEscaped = (value: string) =>
  written(value, (character, hex) => [
    String.raw`\u00${hex}`,
    String.raw`\u00${hex.toUpperCase()}`,
    ...(['"', "\\", "/"].includes(character) ? [`\\${character}`] : [])
  ])

/** The longest escape of a character, of a character's escape: `\\u0026` */
const escapeLength = 7

/** How the text around a piece says the whole canary. */
const textForm = ({ value }: Canary, bytes: Buffer, at: number): Form => {
  const reach = value.length * escapeLength
  const around = bytes.subarray(Math.max(0, at - reach), at + reach).toString("latin1")
  if (around.includes(value)) return "raw"
  if (urlEncoded(value).test(around)) return "URL-encoded"
  return jsonEscaped(value).test(around) ? "JSON-escaped" : "in part"
}

interface Needle {
  readonly canary: Canary
  readonly bytes: Buffer
  readonly form: (bytes: Buffer, at: number) => Form
}

const needlesOf =
  (canary: Canary) =>
  (piece: string): ReadonlyArray<Needle> => {
    const hex = Buffer.from(piece).toString("hex")
    const base64 = base64Of(piece).flatMap((text) => [text, text.replaceAll("+", "-").replaceAll("/", "_")])
    const needle = (text: string, form: Needle["form"]) => ({ canary, bytes: Buffer.from(text), form })
    return [
      needle(piece, (bytes, at) => textForm(canary, bytes, at)),
      ...unique([hex, hex.toUpperCase()]).map((text) => needle(text, () => "hex")),
      ...unique(base64).map((text) => needle(text, () => "base64"))
    ]
  }

/** What is zipped; none where it only begins like that. */
const unzipped = (bytes: Buffer): Buffer | undefined => {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return undefined
  try {
    return gunzipSync(bytes)
  } catch {
    return undefined
  }
}

/** Finds canaries as they are, URL-encoded, escaped in JSON, in hex and in base64, the last also within other bytes. */
export const makeScan = (canaries: ReadonlyArray<Canary>): Scan => {
  const needles = canaries.flatMap((canary) => piecesOf(canary).flatMap(needlesOf(canary)))
  /** A path may be what holds the value. */
  const hidden = [...canaries.map(({ value }) => value), ...needles.map(({ bytes }) => bytes.toString())]
  const masked = (sink: string) => hidden.reduce((text, part) => text.replaceAll(part, "*"), sink)
  const scan: Scan = (sink, bytes) => {
    const found = new Map<string, Finding>()
    for (const needle of needles) {
      const at = bytes.indexOf(needle.bytes)
      if (at === -1) continue
      const finding = { sink: masked(sink), canary: needle.canary.name, form: needle.form(bytes, at) }
      found.set(describeFinding(finding), finding)
    }
    const inside = unzipped(bytes)
    return [...found.values(), ...(inside === undefined ? [] : scan(`${sink}, unzipped`, inside))]
  }
  return scan
}

/** Every object of a repository, also those that nothing refers to. */
const gitObjects = (directory: string): Buffer =>
  execFileSync("git", ["--git-dir", directory, "cat-file", "--batch-all-objects", "--batch", "--unordered"], {
    // A repository that git waits for is told, and keeps no run from its end.
    timeout: 120_000,
    maxBuffer: 2 ** 30,
    stdio: ["ignore", "pipe", "pipe"]
  })

const isGitDirectory = (directory: string) =>
  ["HEAD", "objects", "refs"].every((name) => existsSync(join(directory, name)))

/** The names of the canaries that may be in a file, by its path. */
export type Allowed = Readonly<Record<string, ReadonlyArray<string>>>

/** Looks through a directory: names, files, what symbolic links say, and the objects of git repositories. */
export const scanTree = (scan: Scan, root: string, allowed: Allowed = {}): ReadonlyArray<Finding> => {
  const visit = (path: string): ReadonlyArray<Finding> => {
    const sink = relative(root, path)
    const named = scan(`the name ${sink}`, Buffer.from(basename(path)))
    const facts = lstatSync(path)
    if (facts.isSymbolicLink()) return [...named, ...scan(sink, Buffer.from(readlinkSync(path)))]
    if (facts.isFile()) {
      const found = scan(sink, readFileSync(path))
      return [...named, ...found.filter(({ canary }) => allowed[path]?.includes(canary) !== true)]
    }
    if (!facts.isDirectory()) return named
    const objects = isGitDirectory(path) ? scan(`the git objects of ${sink}`, gitObjects(path)) : []
    return [...named, ...objects, ...readdirSync(path).flatMap((name) => visit(join(path, name)))]
  }
  return visit(root)
}

/** What a report may say of a finding. */
export const describeFinding = ({ canary, form, sink }: Finding): string => `${canary}, ${form}, in ${sink}`
