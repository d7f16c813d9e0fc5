import { Context } from "effect"

/**
 * How large an answer of a tool may be. Clients cut longer ones by themselves, some without keeping anything: Codex takes
 * the middle out of 12,000 characters.
 */
export class AnswerLimits extends Context.Reference<AnswerLimits>()("fleet-mcp/tools/AnswerLimits", {
  defaultValue: () => ({
    /** The text of an answer or of an error, in characters (UTF-16 units). */
    text: 8000,
    /** The structured content, in bytes of its JSON. */
    structured: 64 * 1024
  })
}) {}
