import { EventSourceParserStream } from "eventsource-parser/stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, Server } from "./server";

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string } }[];
}

describe.skipIf(missing !== undefined)(`fetch${missing ?? ""}`, () => {
  let server: Server;

  beforeAll(async () => {
    server = await Server.start();
  }, 60_000);

  afterAll(async () => {
    await server.stop();
  }, 60_000);

  const post = (body: Readonly<Record<string, unknown>>) =>
    fetch(`${server.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "say streamed" }], ...body }),
    });

  it("reads a stream as server-sent events", async () => {
    const response = await post({ stream: true });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events =
      response.body
        ?.pipeThrough(new TextDecoderStream())
        .pipeThrough(new EventSourceParserStream()) ?? [];
    const data: string[] = [];
    for await (const event of events) data.push(event.data);
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map((each) => JSON.parse(each) as Chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("streamed");
  });

  it("gets an error as JSON with the request's name", async () => {
    const response = await post({ n: 0 });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-request-id")).toMatch(/^req-/);
    expect(await response.json()).toMatchObject({ error: { param: "n", code: null } });
  });
});
