import * as fs from "node:fs"
import { Writable } from "node:stream"

/** Bytes of the log, its two files together. */
const longestLog = 10 * 1024 * 1024

/** Appends to a file; when it is half as long as the log may be, it becomes `<file>.1`, in place of the one before. */
export const rotatingFile = (file: string, longest = longestLog): Writable => {
  let size = fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
  const append = (chunk: Buffer) => {
    if (size > 0 && size + chunk.length > longest / 2) {
      fs.renameSync(file, `${file}.1`)
      size = 0
    }
    fs.appendFileSync(file, chunk, { mode: 0o600 })
    size += chunk.length
  }
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      try {
        append(chunk)
      } catch {
        // A full disk, for example: nobody could be told, and agents are not to end for it.
      }
      done()
    }
  })
}

/** Whatever is printed from now on goes to the log, until what this gives is called. */
export const printTo = (file: string): (() => void) => {
  const log = rotatingFile(file)
  const before = [process.stdout, process.stderr].map((stream) => {
    const write = stream.write.bind(stream)
    stream.write = (chunk: string | Uint8Array) => log.write(chunk)
    return () => {
      stream.write = write
    }
  })
  return () => {
    for (const restore of before) restore()
  }
}
