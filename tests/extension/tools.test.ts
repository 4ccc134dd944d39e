import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type * as vscode from "vscode";
import type { ServerState } from "../../extension/src/server/state";
import { ChatTool, type Question } from "../../extension/src/tools/chatTool";
import { HealthTool } from "../../extension/src/tools/healthTool";
import { type Asked, events, FakeServer, healthy, StateInHand } from "./fakeServer";
import { CancellationError, CancellationTokenSource } from "./vscode";

const figures = { tokens_generated: 3, time_seconds: 0.5, finish_reason: "stop" };
const attended = Promise.resolve();

let http: FakeServer;
let answer: string;

beforeEach(async () => {
  answer = events({ text: "Par" }, { text: "is" }, { response: "Paris", ...figures });
  http = await new FakeServer(({ response }: Asked) => {
    response.write(answer);
    if (answer.includes("finish_reason")) response.end();
  }).listen();
});

afterEach(() => {
  http.close();
  vi.unstubAllGlobals();
});

const ready = (): ServerState => ({ kind: "ready", address: http.address, health: healthy() });

function texts(result: vscode.LanguageModelToolResult): string[] {
  const parts = result.content as readonly vscode.LanguageModelTextPart[];
  return parts.map(({ value }) => value);
}

async function ask(
  server: StateInHand,
  input: Question,
  token = new CancellationTokenSource().token,
): Promise<string[]> {
  const tool = new ChatTool(server, attended);
  return texts(await tool.invoke({ input, toolInvocationToken: undefined }, token));
}

describe("the tool that asks the model", () => {
  it("gives the answer and what it cost", async () => {
    const parts = await ask(new StateInHand(ready()), { prompt: "The capital of France?" });
    expect(parts).toEqual(["Paris", "(3 tokens in 0.50 s)"]);
    expect(http.asked).toMatchObject([
      {
        path: "/chat/stream",
        body: { prompt: "The capital of France?", max_tokens: 256, temperature: 0 },
      },
    ]);
  });

  it("passes on what the agent chose, and says when the answer is not whole", async () => {
    answer = events({ response: "Par", ...figures, finish_reason: "length" });
    const input = { prompt: "hi", max_tokens: 3, temperature: 0.5 };
    const [, cost] = await ask(new StateInHand(ready()), input);
    expect(cost).toBe("(3 tokens in 0.50 s; cut off at max_tokens)");
    expect(http.asked[0]?.body).toEqual(input);
  });

  it("waits for a server that is loading", async () => {
    const server = new StateInHand({ kind: "starting" });
    const asked = ask(server, { prompt: "hi" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(http.asked).toEqual([]);
    server.become(ready());
    expect(await asked).toHaveLength(2);
  });

  it.each<ServerState>([
    { kind: "stopped" },
    { kind: "failed", failure: { code: "x", what: "It broke.", fix: "Mend it." } },
  ])("tells the agent that no server runs: $kind", async (state) => {
    await expect(ask(new StateInHand(state), { prompt: "hi" })).rejects.toThrow(
      "The API server does not run. Ask the user to start it with the command " +
        "'Tenstorrent: Start the API Server'.",
    );
  });

  it("tells the agent why the server refuses", async () => {
    answer = events({ error: "The prompt is too long." });
    await expect(ask(new StateInHand(ready()), { prompt: "hi" })).rejects.toThrow(
      "The prompt is too long.",
    );
  });

  it("closes the connection when it is cancelled, which frees the slot", async () => {
    answer = events({ text: "endless" });
    const source = new CancellationTokenSource();
    const asked = ask(new StateInHand(ready()), { prompt: "hi" }, source.token);
    await vi.waitFor(() => expect(http.asked).toHaveLength(1));
    const closed = new Promise<void>((resolve) =>
      http.asked[0]?.response.on("close", () => resolve()),
    );
    source.cancel();
    await expect(asked).rejects.toBeInstanceOf(CancellationError);
    await closed;
  });

  it("shows the prompt, cut short, to whoever has to allow it", () => {
    const tool = new ChatTool(new StateInHand(ready()), attended);
    const messageFor = (prompt: string) =>
      tool.prepareInvocation({ input: { prompt } }).confirmationMessages?.message;
    expect(messageFor("What is\n a KV cache?")).toMatch(/The prompt: What is a KV cache\?$/);
    expect(messageFor("x".repeat(5000))).toMatch(/: x{300}…$/);
  });
});

describe("the tool that tells the server's health", () => {
  async function report(state: ServerState): Promise<unknown> {
    const tool = new HealthTool(new StateInHand(state), attended);
    expect(tool.prepareInvocation().confirmationMessages).toBeUndefined();
    const [text = ""] = texts(await tool.invoke());
    return JSON.parse(text);
  }

  it("asks the server at this moment", async () => {
    const now = healthy({ running: 3 });
    const fetched = vi.fn(() => Promise.resolve(Response.json(now)));
    vi.stubGlobal("fetch", fetched);
    expect(await report(ready())).toEqual({ address: http.address, ...now });
    expect(fetched).toHaveBeenCalledWith(`${http.address}/health`, expect.anything());
  });

  it("says what to do where no server runs", async () => {
    expect(await report({ kind: "stopped" })).toEqual({
      status: "stopped",
      note: "The API server does not run. The command 'Tenstorrent: Start the API Server' starts it.",
    });
  });

  it("says why a server failed", async () => {
    const failure = { code: "x", what: "The port is taken.", fix: "Choose another." };
    expect(await report({ kind: "failed", failure })).toEqual({
      status: "failed",
      note: "The port is taken. Choose another.",
    });
  });

  it("says that a server is on its way", async () => {
    expect(await report({ kind: "starting" })).toEqual({ status: "starting" });
  });
});
