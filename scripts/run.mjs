import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** Runs a command in the project's root and answers its output; ends this process when the command fails. */
export const run = (command, args, { okay = [0], ...options } = {}) => {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    stdio: "inherit",
    maxBuffer: 2 ** 28,
    ...options
  })
  if (result.error !== undefined) throw result.error
  if (!okay.includes(result.status)) {
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}failed: ${command} ${args.join(" ")}\n`)
    process.exit(result.status ?? 1)
  }
  return result.stdout
}

/** The same for a JavaScript file, with this Node: a script of ours or a program in node_modules. */
export const runNode = (file, args = [], options = {}) => run(process.execPath, [file, ...args], options)

export const filesIn = (folder, extension) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(extension))
