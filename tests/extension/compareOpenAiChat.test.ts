import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { otherServerSentence } from "../../extension/src/compare/compare";
import { Keys } from "../../extension/src/compare/keys";
import { OpenAiChat } from "../../extension/src/compare/openAiChat";
import { ServerRefusedError, UnreachableError } from "../../extension/src/server/http";

const asked = vi.hoisted(() => ({ showInputBox: vi.fn() }));

vi.mock("vscode", async () => ({ ...(await import("./vscode")), window: asked }));

let server: Server;
let address: string;
let models: readonly string[];
let keys: (string | undefined)[];
let bodies: unknown[];
let usage: object | undefined;
let hasLeft: Promise<unknown>;

/** A server of somebody else. At "Wait" it says one word and no more. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  keys.push(request.headers.authorization);
  if (request.url === "/v1/models") {
    response.end(JSON.stringify({ data: models.map((id) => ({ id })) }));
    return;
  }
  const body = (await json(request)) as { messages: { content: string }[] };
  bodies.push(body);
  const send = (event: object): void => void response.write(`data: ${JSON.stringify(event)}\n\n`);
  const text = (content: string): void =>
    send({ choices: [{ delta: { content }, finish_reason: null }] });
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  text("Because");
  if (body.messages[0]?.content === "Wait") {
    hasLeft = new Promise((resolve) => response.on("close", resolve));
    return;
  }
  text(" so.");
  send({ choices: [{ delta: {}, finish_reason: "stop" }] });
  if (usage) send({ choices: [], usage });
  response.end("data: [DONE]\n\n");
}

beforeEach(async () => {
  [models, keys, bodies, usage] = [["big"], [], [], { prompt_tokens: 5, completion_tokens: 7 }];
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function chat(prompt: string, model = "", key = "", signal = new AbortController().signal) {
  const texts: string[] = [];
  const result = new OpenAiChat({ address, model, device: "" }, key).chat(
    { prompt, max_tokens: 64, temperature: 0.7 },
    (text) => texts.push(text),
    signal,
  );
  return { texts, result };
}

describe("a column of another server", () => {
  it("asks its only model, and takes the time here", async () => {
    const { texts, result } = chat("Why?");
    const figures = await result;
    expect(texts).toEqual(["Because", " so."]);
    expect(figures).toMatchObject({
      response: "Because so.",
      model: "big",
      tokens_generated: 7,
      finish_reason: "stop",
    });
    expect(figures.ttft_seconds).toBeLessThanOrEqual(figures.time_seconds);
    expect(figures).not.toHaveProperty("queue_seconds");
    expect(bodies).toMatchObject([
      {
        model: "big",
        messages: [{ role: "user", content: "Why?" }],
        max_tokens: 64,
        temperature: 0.7,
      },
    ]);
  });

  it("counts pieces where the server counts nothing", async () => {
    usage = undefined;
    await expect(chat("Why?").result).resolves.toMatchObject({ tokens_generated: 2 });
  });

  it("wants a name where there are several models", async () => {
    models = ["big", "small"];
    await expect(chat("Why?").result).rejects.toThrow("Name one of its models: big, small.");
    await expect(chat("Why?", "small").result).resolves.toMatchObject({ model: "small" });
  });

  it("shows its own key, and never that of our server", async () => {
    vi.stubEnv("TTDIRECT_API_KEY", "ours");
    await chat("Why?").result;
    expect(keys).toEqual([undefined, undefined]);
    await chat("Why?", "", "theirs").result;
    expect(keys.slice(2)).toEqual(["Bearer theirs", "Bearer theirs"]);
  });

  it("closes the connection when it is cancelled", async () => {
    const controller = new AbortController();
    const { texts, result } = chat("Wait", "big", "", controller.signal);
    await vi.waitFor(() => expect(texts).toEqual(["Because"]));
    controller.abort();
    await expect(result).rejects.toThrow();
    await hasLeft;
  });

  it("says what to do about a server that refuses or is not there", () => {
    expect(otherServerSentence(new ServerRefusedError("No key.", 401))).toContain('button "Key"');
    expect(otherServerSentence(new ServerRefusedError("Full.", 503))).toBe("Full.");
    expect(otherServerSentence(new UnreachableError("Nobody answers."))).toContain("address");
  });
});

describe("the keys of other servers", () => {
  it("are kept apart, as secrets, and can be removed", async () => {
    const kept = new Map<string, string>();
    const store = new Keys({
      get: (name) => Promise.resolve(kept.get(name)),
      store: (name, value) => Promise.resolve(void kept.set(name, value)),
      delete: (name) => Promise.resolve(void kept.delete(name)),
    });
    asked.showInputBox.mockResolvedValueOnce(" secret ");
    await store.enter("http://a");
    expect([await store.of("http://a"), await store.of("http://b")]).toEqual(["secret", ""]);
    expect(asked.showInputBox).toHaveBeenCalledWith(expect.objectContaining({ password: true }));
    asked.showInputBox.mockResolvedValueOnce(undefined);
    await store.enter("http://a");
    expect(await store.of("http://a")).toBe("secret");
    asked.showInputBox.mockResolvedValueOnce("");
    await store.enter("http://a");
    expect(kept.size).toBe(0);
  });
});
