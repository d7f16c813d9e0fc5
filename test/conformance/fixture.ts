import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js"
import {
  ElicitResultSchema,
  CreateMessageResultSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
  type ElicitRequestFormParams,
  type ServerNotification,
  type ServerRequest
} from "@modelcontextprotocol/sdk/types.js"
import { completable } from "@modelcontextprotocol/sdk/server/completable.js"
import * as z from "zod/v4"

// What the official conformance suite calls by name. None of it has to do with a fleet.

/** A PNG of one pixel. */
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
/** A WAV file without a sample. */
const silence = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA="

const text = (said: string) => ({ type: "text" as const, text: said })
const image = { type: "image" as const, data: pixel, mimeType: "image/png" }
const said = (...content: ReadonlyArray<ReturnType<typeof text>>) => ({ content: [...content] })

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

const ask = async (extra: Extra, message: string, requestedSchema: ElicitRequestFormParams["requestedSchema"]) => {
  const answer = await extra.sendRequest(
    { method: "elicitation/create", params: { message, requestedSchema } },
    ElicitResultSchema
  )
  return said(text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content ?? {})}`))
}

const addTools = (server: McpServer) => {
  const tool = (
    name: string,
    handler: (extra: Extra) => Promise<{ content: Array<object> }> | { content: Array<object> }
  ) => server.registerTool(name, { description: `Fixture ${name}` }, ((extra: Extra) => handler(extra)) as never)

  tool("test_simple_text", () => said(text("This is a simple text response for testing.")))
  tool("test_image_content", () => ({ content: [image] }))
  tool("test_audio_content", () => ({ content: [{ type: "audio", data: silence, mimeType: "audio/wav" }] }))
  const embedded = (uri: string, mimeType: string, content: string) => ({
    type: "resource",
    resource: { uri, mimeType, text: content }
  })
  tool("test_embedded_resource", () => ({
    content: [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]
  }))
  tool("test_multiple_content_types", () => ({
    content: [
      text("Multiple content types test:"),
      image,
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}')
    ]
  }))
  tool("test_tool_with_logging", async ({ sendNotification }) => {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await sendNotification({ method: "notifications/message", params: { level: "info", data } })
    }
    return said(text("logged"))
  })
  tool("test_tool_with_progress", async ({ _meta, sendNotification }) => {
    const progressToken = _meta?.progressToken
    for (const progress of progressToken === undefined ? [] : [0, 50, 100]) {
      const params = { progressToken: progressToken ?? 0, progress, total: 100 }
      await sendNotification({ method: "notifications/progress", params })
    }
    return said(text(String(progressToken)))
  })
  tool("test_error_handling", () => {
    throw new Error("This tool intentionally returns an error for testing")
  })
  server.registerTool(
    "test_sampling",
    { description: "Fixture", inputSchema: { prompt: z.string() } },
    async ({ prompt }, { sendRequest }) => {
      const params = { messages: [{ role: "user" as const, content: text(prompt) }], maxTokens: 100 }
      const { content } = await sendRequest({ method: "sampling/createMessage", params }, CreateMessageResultSchema)
      return said(text(`LLM response: ${"text" in content ? content.text : "none"}`))
    }
  )
  server.registerTool(
    "test_elicitation",
    { description: "Fixture", inputSchema: { message: z.string() } },
    ({ message }, extra) =>
      ask(extra, message, {
        type: "object",
        properties: { username: { type: "string" }, email: { type: "string" } },
        required: ["username", "email"]
      })
  )
  tool("test_elicitation_sep1034_defaults", (extra) =>
    ask(extra, "Please review the defaults", {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true }
      },
      required: []
    })
  )
  const values = ["option1", "option2", "option3"]
  const titled = ["First", "Second", "Third"].map((title, index) => ({
    const: `value${index + 1}`,
    title: `${title} Option`
  }))
  tool("test_elicitation_sep1330_enums", (extra) =>
    ask(extra, "Please choose", {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: values },
        titledSingle: { type: "string", oneOf: titled },
        legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["One", "Two", "Three"] },
        untitledMulti: { type: "array", items: { type: "string", enum: values } },
        titledMulti: { type: "array", items: { anyOf: titled } }
      },
      required: []
    })
  )
}

const addResources = (server: McpServer) => {
  server.registerResource("static-text", "test://static-text", { mimeType: "text/plain" }, () => ({
    contents: [
      { uri: "test://static-text", mimeType: "text/plain", text: "This is the content of the static text resource." }
    ]
  }))
  server.registerResource("static-binary", "test://static-binary", { mimeType: "image/png" }, () => ({
    contents: [{ uri: "test://static-binary", mimeType: "image/png", blob: pixel }]
  }))
  server.registerResource("watched", "test://watched-resource", { mimeType: "text/plain" }, () => ({
    contents: [{ uri: "test://watched-resource", mimeType: "text/plain", text: "watched" }]
  }))
  server.registerResource(
    "template",
    new ResourceTemplate("test://template/{id}/data", { list: undefined }),
    { mimeType: "application/json" },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` })
        }
      ]
    })
  )
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}))
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}))
}

const addPrompts = (server: McpServer) => {
  const user = (content: object) => ({
    messages: [{ role: "user" as const, content: content as ReturnType<typeof text> }]
  })
  server.registerPrompt("test_simple_prompt", { description: "Fixture" }, () =>
    user(text("This is a simple prompt for testing."))
  )
  const argument = completable(z.string(), (value) => ["alpha", "beta"].filter((each) => each.startsWith(value)))
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "Fixture", argsSchema: { arg1: argument, arg2: z.string() } },
    ({ arg1, arg2 }) => user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))
  )
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "Fixture", argsSchema: { resourceUri: z.string() } },
    ({ resourceUri }) => ({
      messages: [
        ...user({
          type: "resource",
          resource: { uri: resourceUri, mimeType: "text/plain", text: "Embedded resource content for testing." }
        }).messages,
        ...user(text("Please process the embedded resource above.")).messages
      ]
    })
  )
  server.registerPrompt("test_prompt_with_image", { description: "Fixture" }, () => ({
    messages: [...user(image).messages, ...user(text("Please analyze the image above.")).messages]
  }))
}

/** A server with every capability that the suite looks at. */
export const makeFixture = (): McpServer => {
  const server = new McpServer(
    { name: "conformance-fixture", version: "1" },
    { capabilities: { logging: {}, resources: { subscribe: true, listChanged: true } } }
  )
  addTools(server)
  addResources(server)
  addPrompts(server)
  return server
}
