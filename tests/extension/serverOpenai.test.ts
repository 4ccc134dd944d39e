import { afterEach, describe, expect, it, vi } from "vitest";
import { ServerRefusedError, UnreachableError } from "../../extension/src/server/http";
import { OpenAiClient } from "../../extension/src/server/openai";
import { type Asked, chunk, events, FakeServer, usage } from "./fakeServer";

let server: FakeServer;
const signal = new AbortController().signal;
const question = { messages: [{ role: "user", content: "Hello" }] } as const;

async function client(answer: (asked: Asked) => void): Promise<OpenAiClient> {
  server = await new FakeServer(answer).listen();
  return new OpenAiClient(server.address);
}

afterEach(() => {
  server.close();
  vi.unstubAllEnvs();
});

describe("an answer from /v1/chat/completions", () => {
  it("comes piece by piece, with what it cost at the end", async () => {
    const asks = await client(({ response }) => {
      response.write(events(chunk({ role: "assistant", content: "" }), chunk({ content: "Hi " })));
      // A character whose bytes come in two packets.
      const rest = Buffer.from(events(chunk({ content: "du ü" }), chunk({}, "stop")));
      const inside = rest.indexOf(0xc3) + 1;
      response.write(rest.subarray(0, inside));
      setImmediate(() => {
        response.end(
          Buffer.concat([rest.subarray(inside), Buffer.from(events(usage(9, 3, 8), "[DONE]"))]),
        );
      });
    });
    const pieces: string[] = [];
    const completion = await asks.complete(question, (text) => pieces.push(text), signal);
    expect(pieces).toEqual(["Hi ", "du ü"]);
    expect(completion).toEqual({
      finishReason: "stop",
      calls: [],
      promptTokens: 9,
      cachedTokens: 8,
      completionTokens: 3,
    });
    expect(server.asked[0]?.body).toEqual({
      ...question,
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("holds calls, whole or in pieces", async () => {
    const call = (index: number, id: string, name: string, text: string): object => ({
      tool_calls: [{ index, id, type: "function", function: { name, arguments: text } }],
    });
    const asks = await client(({ response }) =>
      response.end(
        events(
          chunk(call(0, "a", "look", '{"at":1}')),
          chunk(call(1, "b", "go", '{"to"')),
          chunk({ tool_calls: [{ index: 1, function: { arguments: ":2}" } }] }),
          chunk({}, "tool_calls"),
          "[DONE]",
        ),
      ),
    );
    const { calls } = await asks.complete(question, () => undefined, signal);
    expect(calls.map(({ id, function: called }) => [id, called.name, called.arguments])).toEqual([
      ["a", "look", '{"at":1}'],
      ["b", "go", '{"to":2}'],
    ]);
  });

  it("is refused with the server's own sentence, before and within the stream", async () => {
    const error = { message: "The queue is full.", type: "server_error" };
    const before = await client(({ response }) => {
      response.writeHead(503, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ error }));
    });
    const refusal = before.complete(question, () => undefined, signal);
    await expect(refusal).rejects.toEqual(new ServerRefusedError("The queue is full.", 503));
    server.close();
    const within = await client(({ response }) =>
      response.end(events(chunk({ content: "Hi" }), { error }, "[DONE]")),
    );
    await expect(within.complete(question, () => undefined, signal)).rejects.toThrow("is full");
  });

  it("that breaks off is told so, however it breaks", async () => {
    const ends = await client(({ response }) => response.end(events(chunk({ content: "Hi" }))));
    await expect(ends.complete(question, () => undefined, signal)).rejects.toThrow(
      UnreachableError,
    );
    server.close();
    const dies = await client(({ response }) => {
      response.write(events(chunk({ content: "Hi" })));
      setImmediate(() => response.destroy());
    });
    await expect(dies.complete(question, () => undefined, signal)).rejects.toThrow(
      "closed the connection before the answer ended",
    );
  });

  it("is given up by closing the connection, which frees the slot", async () => {
    const giveUp = new AbortController();
    let closed: Promise<void> | undefined;
    const asks = await client(({ response }) => {
      closed = new Promise((resolve) => response.on("close", resolve));
      response.write(events(chunk({ content: "Hi" })));
    });
    const answer = asks.complete(question, () => giveUp.abort(), giveUp.signal);
    await expect(answer).rejects.toThrow();
    await closed;
  });

  it("is asked for with the key of the environment", async () => {
    vi.stubEnv("TTDIRECT_API_KEY", "secret");
    const asks = await client(({ response }) => response.end(events(chunk({}, "stop"))));
    await asks.complete(question, () => undefined, signal);
    expect(server.asked[0]?.key).toBe("Bearer secret");
  });
});

describe("the count of /tokenize", () => {
  it("is that of a conversation or a text", async () => {
    const asks = await client(({ response }) => response.end(JSON.stringify({ count: 17 })));
    expect(await asks.count(question, signal)).toBe(17);
    expect(server.asked[0]).toMatchObject({ path: "/tokenize", body: question });
  });

  it("is missing where another program answers", async () => {
    const asks = await client(({ response }) => response.end("{}"));
    await expect(asks.count(question, signal)).rejects.toThrow(SyntaxError);
    server.close();
    await expect(asks.count(question, signal)).rejects.toThrow(UnreachableError);
  });
});
