import { describe, expect, it } from "@effect/vitest"
import { Duration } from "effect"
import { patienceOf, type Caller } from "../../../../src/layers/transports/session/Patience.ts"

const secondsOf = (caller: Partial<Caller>) => {
  const { most, usual } = patienceOf({
    client: undefined,
    terminal: false,
    progress: true,
    seconds: undefined,
    ...caller
  })
  return [Duration.toSeconds(usual), Duration.toSeconds(most)]
}

describe("how long a client bears to wait", () => {
  it.each([
    [{ client: "claude-code", terminal: true }, [1800, 7200]],
    [{ client: "claude-code", terminal: true, progress: false }, [240, 240]],
    [{ client: "claude-code" }, [600, 600]],
    [{ client: "copilot-cli" }, [540, 540]],
    [{ client: "copilot-cli", progress: false }, [150, 150]],
    [{ client: "opencode" }, [300, 300]],
    [{ client: "opencode", progress: false }, [45, 45]],
    [{ client: "qwen-cli-mcp-client-fleet" }, [540, 540]],
    [{ client: "qwen-cli-mcp-client-fleet", progress: false }, [240, 240]],
    [{ client: "gemini-cli-mcp-client" }, [540, 540]],
    [{ client: "codex-mcp-client" }, [240, 240]],
    [{ client: "claude-ai", terminal: true }, [45, 45]],
    [{ client: "cursor-vscode" }, [45, 45]],
    [{}, [45, 45]],
    [{ client: "claude-code", terminal: true, seconds: 90 }, [90, 90]],
    [{ seconds: 3600 }, [3600, 3600]]
  ] as const)("%o: %o", (caller, expected) => {
    expect(secondsOf(caller)).toEqual(expected)
  })
})
