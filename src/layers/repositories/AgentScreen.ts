import { Data } from "effect"
import type { AgentApiStatus, Message } from "../../schemas/agentapi/AgentApi.ts"
import { cut, withoutControls } from "../../schemas/Text.ts"

// What the screen of a coding agent shows, read from AgentAPI's status and messages. Pure functions.
//
// Source of all rules: recordings agentapi/dialogues-0.12.1-2.1.332, -0.12.1-2.1.84 and -head-2.1.84 (AgentAPI and
// Claude Code, English, 80 columns). The rules were fitted to them: a kind of dialogue that was not recorded may be
// missed, and other widths, other languages, and an option or a footer that a tool prints at column 0 or 1 were not
// tried. Of agents other than Claude Code nothing was recorded.

/** What a dialogue asks for; `other` where the recordings do not tell. */
export type DialogueKind =
  | "permission"
  | "edit"
  | "plan"
  | "question"
  | "trust"
  | "warning"
  | "theme"
  | "api_key"
  | "mcp_server"
  | "login"
  | "other"

/**
 * What the Escape key does to a dialogue: `refuses` = it goes away and the agent stays; `ends_agent` = Claude Code ends,
 * and AgentAPI with it; `unknown` = no effect was seen, or what follows was not recorded. Send it to `refuses` only.
 */
export type EscapeEffect = "refuses" | "ends_agent" | "unknown"

/** What a screen shows. A `text` is quoted from it, without control characters, or is empty. */
export type AgentScreen = Data.TaggedEnum<{
  /** Nothing was drawn and nothing was sent yet. A user message now makes AgentAPI 0.12.1 hang until it is restarted. */
  Blank: {}
  /**
   * A dialogue waits for a person, and a user message may answer it. Not `certain` = perhaps: it may be gone, and have
   * stayed in the message.
   */
  Dialogue: {
    readonly kind: DialogueKind
    readonly escape: EscapeEffect
    readonly certain: boolean
    readonly text: string
  }
  /** Not logged in at the provider, and no dialogue: each task ends in an error. Not `certain` = perhaps, as above. */
  Login: { readonly certain: boolean; readonly text: string }
  /** At work. `text` says why, where that is more than work: a request to the provider is tried again. */
  Busy: { readonly text: string }
  /** Waits for input; the last turn ended in the provider's error that `text` quotes. */
  FailedTurn: { readonly text: string }
  /** Known to wait for input. */
  Input: {}
  /** Neither known to wait for input nor a known dialogue: no message is to be sent, and Escape as to a dialogue. */
  Unrecognised: { readonly escape: EscapeEffect; readonly text: string }
}>
export const AgentScreen = Data.taggedEnum<AgentScreen>()

const limits = {
  /**
   * Characters that are looked at, from the end of the last message and from the start of the first one: a terminal of
   * 1000 rows of 80 columns has 80,000.
   */
  tail: 128 * 1024,
  /** Lines that are not empty, from the end, that the rules look at: they were fitted to this number. */
  lines: 16,
  /** Characters of one line that is quoted, and of all of a quoted text. */
  line: 200,
  text: 1000
} as const

/** The first version of Claude Code that was seen to draw its whole screen anew, so that nothing old stays in it. */
const firstClean = [2, 1, 332] as const

/** A line with the frame's characters blanked; `column` is where its text begins, from 0. */
interface Line {
  readonly raw: string
  readonly text: string
  readonly column: number
}

const toLine = (raw: string): Line => {
  const blanked = raw.replaceAll(/[│╰─]/g, " ").trimEnd()
  const text = blanked.trimStart()
  return { raw, text, column: blanked.length - text.length }
}

/** What the rules look at. */
interface Region {
  /** The last lines that are not empty. */
  readonly all: ReadonlyArray<string>
  /**
   * Of those, what stands below the last line that begins an answer (`●`) or ends a turn (`✻ Brewed for 6s`). An
   * answer's other lines are at column 2 or deeper, a dialogue's own lines at column 0 or 1, so that an answer is not
   * taken for the dialogue that it quotes.
   */
  readonly lines: ReadonlyArray<Line>
  /** No user message was sent yet. */
  readonly atStart: boolean
  /** The deepest column of a dialogue's own lines: one more at the start. */
  readonly deepest: number
}

const answerOrTurnEnd = /^●|^✻ \S+ for \d/u

/** `sent` is the last user message: Claude Code repeats it on the screen, behind the sign of a selected option. */
const toRegion = (content: string, sent: string | undefined): Region => {
  const all = withoutControls(content.slice(-limits.tail).replace(/^[\udc00-\udfff]/, ""))
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .slice(-limits.lines)
  const isSent = (line: string) => sent?.trimStart().startsWith(line.slice(2).trim()) === true
  const lines = all
    .slice(all.findLastIndex((line) => answerOrTurnEnd.test(line)) + 1)
    .filter((line) => !(/^❯\s\S/.test(line) && isSent(line)))
    .map(toLine)
  return { all, lines, atStart: sent === undefined, deepest: sent === undefined ? 2 : 1 }
}

const some = (lines: ReadonlyArray<Line>, deepest: number, pattern: RegExp): boolean =>
  lines.some(({ column, text }) => column <= deepest && pattern.test(text))

/** The selected option of a list; up to two characters of what stood there before may be in it (`❯↑1.pYes`). */
const option = /^❯.{0,2}\d\./u
const footer = /Esc to (?:cancel|go back|exit)|Enter to (?:confirm|select|continue)/
const question =
  /^(?:Do you want to (?:proceed|create|make|edit|overwrite|allow|use)|Would you like to proceed|Exit plan mode\?)/
/** A line across the screen above a dialogue, and the one above a panel (`/login`). */
const across = /^\s*─{20,}$/
const acrossPanel = /^▔{20,}$/
const loginMenu = /^Select login.method/
const themeMenu = /text style that looks|Syntax (?:theme|highlighting)/

/** The signs of a dialogue of Claude Code; each one is enough. */
const dialogueSigns = {
  option: ({ deepest, lines }) => some(lines, deepest, option),
  option_without_number: ({ deepest, lines }) =>
    some(lines, deepest, /^❯\s(?:Yes|No)\b/) && some(lines.slice(-3), deepest, footer),
  footer: ({ deepest, lines }) => some(lines.slice(-4), deepest, footer),
  question: ({ deepest, lines }) => some(lines, deepest, question),
  /** 2.1.332 asks for the approval of a plan at column 3, below a line across the screen. */
  plan: ({ lines }) =>
    some(lines.slice(-2), 3, /^ctrl[-+]g to edit in/) &&
    some(lines, 3, option) &&
    lines.some(({ raw }) => across.test(raw)),
  theme: ({ atStart, lines }) => atStart && some(lines, Infinity, themeMenu),
  login: ({ atStart, lines }) => atStart && some(lines, 3, loginMenu),
  panel: ({ lines }) => lines.some(({ raw }) => acrossPanel.test(raw)),
  /** A preview whose question AgentAPI cut off, taking it for the input box. */
  preview_only: ({ lines }) => /^╌{20,}$/.test(lines.at(-1)?.raw ?? "")
} satisfies Record<string, (region: Region) => boolean>

const showsDialogue = (region: Region): boolean => Object.values(dialogueSigns).some((sign) => sign(region))

interface KindRule {
  readonly kind: DialogueKind
  readonly escape: EscapeEffect
  readonly words: RegExp
}

const startKinds: ReadonlyArray<KindRule> = [
  { kind: "warning", escape: "ends_agent", words: /Bypass Permissions mode/ },
  { kind: "trust", escape: "ends_agent", words: /trust this folder|trust the files|Quick safety check/ },
  { kind: "theme", escape: "unknown", words: themeMenu },
  { kind: "api_key", escape: "unknown", words: /custom API key|use this API key/ },
  { kind: "mcp_server", escape: "unknown", words: /MCP server/ }
]

const turnKinds: ReadonlyArray<KindRule> = [
  { kind: "login", escape: "refuses", words: /Select login.method/ },
  { kind: "plan", escape: "refuses", words: /[Ee]xit plan mode|ctrl[-+]g to edit in|approve with this feedback/ },
  { kind: "question", escape: "refuses", words: /Enter to select|Chat.about.this|Type something/ },
  { kind: "edit", escape: "refuses", words: /Do you want to (?:create|make|edit|overwrite)|(?:Create|Edit) file/ },
  { kind: "permission", escape: "refuses", words: /Do you want to (?:proceed|allow)|Bash command/ }
]

/** Escape declined every dialogue of a turn; at the start one that is not known may end the agent. */
const kindOf = ({ atStart, lines }: Region): Pick<KindRule, "kind" | "escape"> => {
  const words = lines.map(({ text }) => text).join(" ")
  const kinds = atStart ? [...startKinds, ...turnKinds] : [...turnKinds, ...startKinds]
  const { escape, kind } = kinds.find((rule) => rule.words.test(words)) ?? {
    kind: "other" as const,
    escape: atStart ? ("unknown" as const) : ("refuses" as const)
  }
  return { kind, escape }
}

/** The lines with words, below the first line across the screen; of too many the last. */
const quote = (lines: ReadonlyArray<Line>): string => {
  const quoted: Array<string> = []
  let size = 0
  const from = lines.findIndex(({ raw }) => across.test(raw) || acrossPanel.test(raw)) + 1
  for (const line of lines.slice(from).toReversed()) {
    const text = cut(line.text, limits.line)
    if (!/[\p{L}\p{N}]/u.test(text)) continue
    size += text.length + 1
    if (size > limits.text) break
    quoted.unshift(text)
  }
  return quoted.join("\n")
}

const quoteFirst = (lines: ReadonlyArray<string>, pattern: RegExp): string | undefined => {
  const found = lines.find((line) => pattern.test(line))
  return found === undefined ? undefined : cut(toLine(found).text, limits.line)
}

/** The line of a turn at work (`✽ Generating…`). AgentAPI calls one that stood still for two seconds `stable`. */
const spinner = /^[·✢✳✶✻✽*] \p{L}+…/u
const retry = /^\s+Retrying in \d+ seconds?…|\(attempt \d+\/\d+\)/
const notLoggedIn = /(?:⎿\s+|^\s{20,}|│\s{8,})Not logged in · (?:Please )?run \/login/i
const providerError = /^\s*[⎿●]\s+(?:API Error\b|Credit balance|.*invalid x-api-key)/
const welcome = /Code v\d|Welcome back|▝▜/
/** The line below the input of 2.1.332; in older ones other words stand before it. */
const effortOnly = /^ {40,}◐ \w+ · \/effort *$/m
/** What belongs to the input or to an answer. */
const inputSigns = /^❯|^● |^✻ |^\s*⎿|for short|(?:mode|permissions|edits) on\b|· \/effort/
/** Lines of a clean screen at column 0 or 1 that are not a dialogue's. */
const furniture = /^─+$|^❯(?:\s|$)|▝▜|[▐▛█]{2}/

/**
 * Whether nothing old stays in the messages, judged by the first one, the screen before the first prompt. Older versions
 * of Claude Code make AgentAPI's terminal mix old and new text, and a dialogue that is gone stays in the message until
 * the next user message; no feature of one message tells (recordings: what followed on Escape and messages in 2.1.84).
 */
const isClean = (first: string): boolean => {
  const version = /Code v(\d+)\.(\d+)\.(\d+)/.exec(first.slice(0, limits.tail))
  if (version === null) return effortOnly.test(first.slice(0, limits.tail))
  const parts = version.slice(1).map(Number)
  const differs = firstClean.findIndex((part, index) => part !== parts[index])
  return differs === -1 || (parts[differs] ?? 0) > (firstClean[differs] ?? 0)
}

/**
 * A clean screen in a turn waits for input where nothing but answers and furniture stands at column 0 or 1. Elsewhere
 * there is no more to see than that the screen is one of those on which the input was seen.
 */
const showsInput = ({ all, atStart, lines }: Region, clean: boolean): boolean =>
  clean && !atStart
    ? all.length > 0 && lines.every(({ column, raw, text }) => text === "" || column >= 2 || furniture.test(raw))
    : all.some((line) => inputSigns.test(line) || welcome.test(line))

const readClaude = (status: string, region: Region, clean: boolean): AgentScreen => {
  if (showsDialogue(region)) {
    const kind = kindOf(region)
    const neverLeft = region.atStart && kind.kind !== "other" && !region.all.some((line) => welcome.test(line))
    return AgentScreen.Dialogue({ ...kind, certain: clean || neverLeft, text: quote(region.lines) })
  }
  const below = region.lines.map(({ raw }) => raw)
  if (status === "running" || below.some((line) => spinner.test(line)))
    return AgentScreen.Busy({ text: quoteFirst(below, retry) ?? "" })
  const unrecognised = AgentScreen.Unrecognised({
    escape: region.atStart ? "unknown" : kindOf(region).escape,
    text: quote(region.lines)
  })
  if (status !== "stable") return unrecognised
  const login = quoteFirst(below, notLoggedIn)
  if (login !== undefined) return AgentScreen.Login({ certain: clean, text: login })
  const failure = quoteFirst(region.all, providerError)
  if (failure !== undefined) return AgentScreen.FailedTurn({ text: failure })
  return showsInput(region, clean) ? AgentScreen.Input() : unrecognised
}

/** A list with a selected option, and a footer that names Escape. */
const anyMenu = ({ lines }: Region): boolean =>
  some(lines, 4, /^[❯›●▶>].{0,2}\d[.)]/u) && some(lines.slice(-4), Infinity, /\besc(?:ape)?\b/i)

const byStatus = (status: string, inTurn: boolean): AgentScreen => {
  if (status === "running") return AgentScreen.Busy({ text: "" })
  return status === "stable"
    ? AgentScreen.Input()
    : AgentScreen.Unrecognised({ escape: inTurn ? "refuses" : "unknown", text: "" })
}

/**
 * What the screen of an agent shows, from all its messages and its status at the same time.
 *
 * - `claude` in a terminal is read by the rules above. `stable` alone is not believed: AgentAPI says it of a blank
 *   screen, of dialogues, and of a turn that stood still.
 * - `shell`, our own agent host, and the transport `acp` have no terminal: their messages are the output of any program,
 *   or an answer, and may look like a dialogue. The status alone tells.
 * - Any other agent in a terminal: of these no dialogues were recorded. A blank screen is AgentAPI's own matter and the
 *   same for all; a menu that names Escape in its footer is perhaps a dialogue; else the status is believed, for a
 *   caution that nothing could end would make such agents useless.
 */
export const readScreen = (answer: AgentApiStatus, messages: ReadonlyArray<Message>): AgentScreen => {
  const sent = messages.findLast(({ role }) => role === "user")?.content
  const inTurn = sent !== undefined
  if (answer.agent_type === "shell" || answer.transport === "acp") return byStatus(answer.status, inTurn)
  if (sent === undefined && !messages.some(({ content }) => /\S/.test(content))) return AgentScreen.Blank()
  const last = messages.at(-1)
  if (last === undefined || last.role === "user") {
    return answer.status === "running"
      ? AgentScreen.Busy({ text: "" })
      : AgentScreen.Unrecognised({ escape: inTurn ? "refuses" : "unknown", text: "" })
  }
  const region = toRegion(last.content, sent)
  if (answer.agent_type === "claude") return readClaude(answer.status, region, isClean(messages[0]?.content ?? ""))
  return anyMenu(region)
    ? AgentScreen.Dialogue({ kind: "other", escape: "refuses", certain: false, text: quote(region.lines) })
    : byStatus(answer.status, inTurn)
}
