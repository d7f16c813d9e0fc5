/** A script for `/bin/sh`, as `sh -c` would run it, but not on the command line, which all users can read. No NUL. */
export interface ShellScript {
  readonly script: string
}

/** The program and its arguments, or a script. */
export type Command = readonly [program: string, ...args: Array<string>] | ShellScript

/** Ends what the watchdog tells when it is asked, by a line on descriptor 3, who lives in the group. */
export const membersEnd = "end\n"

// The shell becomes the program, so that the program leads its process group. Descriptor 3 is a socket to this process;
// it ends when this process does, however that comes about, and then the watchdog kills the group. The watchdog has no
// parent left in the group (a program may wait for all of its children) and outlives the polite signals. Asked by a
// line, it tells which processes of the group live (as paths, /proc/[pid]/stat; format: proc(5)), itself among them:
// thus it is not this process that has to look at all of the machine, and the group is guarded meanwhile.
const tellMembers = 'set -- /proc/[0-9]*/stat; LC_ALL=C command -p grep -lsE "\\) [^ZX] [0-9]+ $$ " "$@"; echo end'
const watchdog = `trap "" HUP INT PIPE TERM; read -r _ && { ${tellMembers}; read -r _; }; kill -KILL 0`
const guard = `( (${watchdog}) <&3 >&3 2>/dev/null 4<&- & )`
const startProgram = `command -v "$1" >/dev/null || { echo missing >&3; exit 127; }
${guard}
exec 3<&-
exec "$@"`

/** Ends a script on descriptor 4. */
export const scriptEnd = "#end"

// Descriptor 4 is a socket that the script comes through, with a mark at its end: half a script is not run. `eval`
// leaves `$0`, `$#` and the numbers of lines as `sh -c` has them.
const startScript = `${guard}
fleet_script=$(command -p cat <&4)
exec 3<&- 4<&-
case $fleet_script in *"${scriptEnd}") ;; *) exit 126 ;; esac
eval "unset fleet_script; \${fleet_script%"${scriptEnd}"}"`

/** The arguments of the `/bin/sh` that becomes a command. `oneOutput`: stderr goes where stdout does. */
export const launch = (command: Command, oneOutput: boolean): ReadonlyArray<string> => {
  const redirect = oneOutput ? "exec 2>&1\n" : ""
  return "script" in command
    ? ["-c", redirect + startScript, "/bin/sh"]
    : ["-c", redirect + startProgram, "fleet", ...command]
}

/** The processes that the watchdog has told; none where there is no /proc. */
export const pidsIn = (paths: string): ReadonlyArray<number> =>
  Array.from(paths.matchAll(/^\/proc\/(\d+)\/stat$/gm), ([, pid]) => Number(pid))
