import { Either, Option, Redacted, Schema } from "effect"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** Where a supervisor of a state directory keeps what is its own. */
export const placeIn = (stateDirectory: string) => ({
  stateDirectory,
  /** Held by the supervisor for life. Nothing but the lock itself may open it. */
  lock: join(stateDirectory, "lock.db"),
  store: join(stateDirectory, "store.db"),
  /** Tells front ends where the supervisor is, and with what token they may ask. */
  info: join(stateDirectory, "supervisor.json"),
  /** Made by a front end while it starts a supervisor. */
  starting: join(stateDirectory, "supervisor.starting"),
  log: join(stateDirectory, "supervisor.log")
})
export type Place = ReturnType<typeof placeIn>

/** The form of this file stays over all versions: whoever cannot speak to a supervisor must still be able to name it. */
const SupervisorInfo = Schema.Struct({
  pid: Schema.Number,
  since: Schema.String,
  version: Schema.String,
  contract: Schema.Number,
  socket: Schema.String,
  token: Schema.Redacted(Schema.String)
})
export type SupervisorInfo = typeof SupervisorInfo.Type

const InfoFile = Schema.parseJson(SupervisorInfo)
const decodeInfo = Schema.decodeUnknownEither(InfoFile)
const encodeInfo = Schema.encodeSync(InfoFile)

const read = (file: string): string | undefined =>
  Option.getOrUndefined(Option.liftThrowable(() => fs.readFileSync(file, "utf8"))())

/** What the supervisor of this place says of itself, or the one before it did; none where there is nothing to be read. */
export const readInfo = ({ info }: Place): SupervisorInfo | undefined => Either.getOrUndefined(decodeInfo(read(info)))

/** Whole or not at all, and for this user alone. */
export const writeInfo = ({ info }: Place, supervisor: SupervisorInfo): void => {
  const draft = `${info}.${process.pid}`
  fs.rmSync(draft, { force: true })
  try {
    fs.writeFileSync(draft, encodeInfo(supervisor), { mode: 0o600, flag: "wx" })
    fs.renameSync(draft, info)
  } finally {
    fs.rmSync(draft, { force: true })
  }
}

export const removeInfo = ({ info }: Place): void => fs.rmSync(info, { force: true })

/** A token in Coder's form. */
export const makeToken = (): Redacted.Redacted => {
  const letters = randomBytes(64)
    .toString("base64")
    .replaceAll(/[^0-9A-Za-z]/g, "")
  return Redacted.make(`${letters.slice(0, 10)}-${letters.slice(10, 32)}`)
}

/** A path of a socket has at most so many bytes: 104 with the zero at its end on macOS, 108 on Linux. */
const longestSocket = 103
/** Begins the names of directories for sockets whose own state directory has too long a path. */
const elsewhere = "fleet-mcp-"

/** The path of the socket; where that of the state directory is too long, in a new directory of this user's alone. */
export const makeSocketPath = ({ stateDirectory }: Place, runtimeDirectory: string | undefined): string => {
  const usual = join(stateDirectory, "supervisor.sock")
  if (Buffer.byteLength(usual) <= longestSocket) return usual
  const bases = [runtimeDirectory ?? "", tmpdir(), "/tmp"]
  const base = bases.find(
    (path) => path.startsWith("/") && fs.existsSync(path) && Buffer.byteLength(path) <= longestSocket - 32
  )
  return base === undefined ? usual : join(fs.mkdtempSync(join(base, elsewhere)), "sock")
}

/** Why the path of the socket cannot be used: what is there is not a socket. */
export const socketProblem = (socket: string): string | undefined => {
  const found = fs.lstatSync(socket, { throwIfNoEntry: false })
  return found === undefined || found.isSocket() ? undefined : `${socket} is not a socket: move it away.`
}

const isSocket = (path: string): boolean => fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true

/** Whether what was written of a supervisor, and its socket, are still there. */
export const isReachable = (place: Place, { pid, socket }: SupervisorInfo) => ({
  info: readInfo(place)?.pid === pid,
  socket: isSocket(socket)
})

/** Takes away a socket that nobody listens at any more. What is no socket stays. */
export const removeStale = (socket: string): void => {
  if (isSocket(socket)) fs.rmSync(socket, { force: true })
}

/** Takes away the socket of a supervisor that is not there any more, and the directory that was made for it alone. */
export const removeSocket = ({ stateDirectory }: Place, socket: string): void => {
  removeStale(socket)
  const directory = dirname(socket)
  if (directory === stateDirectory || !/\/fleet-mcp-[^/]+$/.test(directory)) return
  Option.liftThrowable(() => fs.rmdirSync(directory))()
}

/** Bytes of the store, with what SQLite keeps beside it. */
export const storeBytes = ({ store }: Place): number =>
  ["", "-wal", "-shm"].reduce((sum, end) => sum + (fs.statSync(store + end, { throwIfNoEntry: false })?.size ?? 0), 0)
