import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as vscode from "vscode";
import { limitsOf } from "../../extension/src/languageModel/information";
import { ServedModel } from "../../extension/src/languageModel/provider";
import type { ServerState } from "../../extension/src/server/state";
import { type Asked, chunk, events, FakeServer, healthy, StateInHand, usage } from "./fakeServer";

const editor = vi.hoisted(() => ({ told: [] as string[], commands: [] as string[] }));

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  commands: { executeCommand: (id: string) => Promise.resolve(void editor.commands.push(id)) },
  window: {
    showInformationMessage: (message: string, button: string) => {
      editor.told.push(message);
      return Promise.resolve(button);
    },
  },
}));

let http: FakeServer;
let knowsTools: boolean;
let answer: string;

function reply({ path, body, response }: Asked): void {
  if (path !== "/tokenize") {
    response.write(answer);
    if (answer.endsWith("[DONE]\n\n")) response.end();
  } else if (body["tools"] && !knowsTools) {
    response.writeHead(400).end(JSON.stringify({ error: { message: "knows no tools" } }));
  } else {
    response.end(JSON.stringify({ count: 10 }));
  }
}

beforeEach(async () => {
  knowsTools = true;
  answer = events(chunk({ content: "Paris" }), chunk({}, "stop"), usage(5, 1), "[DONE]");
  http = await new FakeServer(reply).listen();
});

afterEach(() => http.close());

const ready = (max_seq_len = 2048): ServerState => ({
  kind: "ready",
  address: http.address,
  health: healthy({ max_seq_len }),
});

function modelOf(server: StateInHand): ServedModel {
  return new ServedModel(server, Promise.resolve(), () => "owner/chosen");
}

const { Auto, Required } = vscode.LanguageModelChatToolMode;

const question: vscode.LanguageModelChatRequestMessage = {
  role: vscode.LanguageModelChatMessageRole.User,
  content: [new vscode.LanguageModelTextPart("What is the capital of France?")],
  name: undefined,
};

const tool = { name: "look", description: "Look." };

function ask(
  model: ServedModel,
  options: Partial<vscode.ProvideLanguageModelChatResponseOptions> = {},
  token = new vscode.CancellationTokenSource().token,
) {
  const parts: unknown[] = [];
  const [information] = model.provideLanguageModelChatInformation();
  if (!information) throw new Error("There is no model.");
  const done = model.provideLanguageModelChatResponse(
    information,
    [question],
    { toolMode: Auto, ...options },
    { report: (part) => parts.push(part) },
    token,
  );
  return { parts, done };
}

describe("the limits of a context", () => {
  it("keep a quarter for the answer, up to what answers need", () => {
    expect(limitsOf(2048)).toEqual({ maxInputTokens: 1536, maxOutputTokens: 512 });
    expect(limitsOf(131_072)).toEqual({ maxInputTokens: 126_976, maxOutputTokens: 4096 });
  });
});

describe("the information", () => {
  it("is there in every state, with what is known in it", () => {
    const server = new StateInHand({ kind: "stopped" });
    const model = modelOf(server);
    expect(model.provideLanguageModelChatInformation()).toMatchObject([
      { name: "chosen", detail: "stopped" },
    ]);
    const [before] = model.provideLanguageModelChatInformation();
    server.become(ready(8192));
    const [after] = model.provideLanguageModelChatInformation();
    expect(after).toMatchObject({
      id: before?.id,
      name: "ttdirect-demo",
      maxInputTokens: 6144,
      maxOutputTokens: 2048,
    });
  });

  it("is told again when it changes, and not with each request of somebody", () => {
    const server = new StateInHand({ kind: "stopped" });
    const model = modelOf(server);
    const told = vi.fn();
    model.onDidChangeLanguageModelChatInformation(told);
    model.provideLanguageModelChatInformation();
    server.become(ready());
    expect(told).toHaveBeenCalledTimes(1);
    model.provideLanguageModelChatInformation();
    const health = healthy({ running: 3 });
    server.become({ kind: "ready", address: http.address, health });
    expect(told).toHaveBeenCalledTimes(1);
  });
});

describe("an answer", () => {
  it("comes as parts, with the options that the server knows", async () => {
    const { parts, done } = ask(modelOf(new StateInHand(ready())), {
      modelOptions: { temperature: 0.5, max_tokens: 7, unknown: 1 },
    });
    await done;
    expect(parts).toEqual([new vscode.LanguageModelTextPart("Paris")]);
    expect(http.asked.at(-1)?.body).toMatchObject({ temperature: 0.5, max_tokens: 7 });
    expect(http.asked.at(-1)?.body).not.toHaveProperty("unknown");
  });

  it("waits for a server that is loading", async () => {
    const server = new StateInHand({ kind: "starting" });
    const { parts, done } = ask(modelOf(server));
    server.become({ kind: "loading", address: http.address, health: healthy() });
    expect(parts).toEqual([]);
    server.become(ready());
    await done;
    expect(parts).toHaveLength(1);
  });

  it("without a server says how to start one, and offers it", async () => {
    const { done } = ask(modelOf(new StateInHand({ kind: "stopped" })));
    await expect(done).rejects.toThrow("Tenstorrent: Start the API Server");
    await expect(done).rejects.toMatchObject({ code: "NotFound" });
    await vi.waitFor(() => expect(editor.commands).toEqual(["tenstorrent.startApiServerDirect"]));
    expect(editor.told).toHaveLength(1);
  });

  it("can be given up, and says so in the editor's way", async () => {
    answer = events(chunk({ content: "Par" }));
    const source = new vscode.CancellationTokenSource();
    const { parts, done } = ask(modelOf(new StateInHand(ready())), {}, source.token);
    await vi.waitFor(() => expect(parts).toHaveLength(1));
    source.cancel();
    await expect(done).rejects.toBeInstanceOf(vscode.CancellationError);
  });
});

describe("tools", () => {
  it("are offered to a model that knows them, which is asked once", async () => {
    answer = events(
      chunk({ tool_calls: [{ index: 0, id: "a", function: { name: "look", arguments: "{}" } }] }),
      chunk({}, "tool_calls"),
      "[DONE]",
    );
    const model = modelOf(new StateInHand(ready()));
    const { parts, done } = ask(model, { tools: [tool] });
    await done;
    await ask(model, { tools: [tool], toolMode: Required }).done;
    expect(parts).toEqual([new vscode.LanguageModelToolCallPart("a", "look", {})]);
    expect(http.asked.map(({ path }) => path)).toEqual([
      "/tokenize",
      "/v1/chat/completions",
      "/v1/chat/completions",
    ]);
    expect(http.asked.slice(1).map(({ body }) => body["tool_choice"])).toEqual([
      "auto",
      "required",
    ]);
  });

  it("are kept from a model that knows none, unless a call is required", async () => {
    knowsTools = false;
    const model = modelOf(new StateInHand(ready()));
    const { parts, done } = ask(model, { tools: [tool] });
    await done;
    expect(parts).toEqual([new vscode.LanguageModelTextPart("Paris")]);
    expect(http.asked.at(-1)?.body).not.toHaveProperty("tools");
    await expect(ask(model, { tools: [tool], toolMode: Required }).done).rejects.toThrow(
      "cannot call",
    );
  });
});

describe("a count", () => {
  const token = new vscode.CancellationTokenSource().token;

  it("is the server's", async () => {
    const model = modelOf(new StateInHand(ready()));
    const [information] = model.provideLanguageModelChatInformation();
    if (!information) throw new Error("There is no model.");
    expect(await model.provideTokenCount(information, "Hello", token)).toBe(10);
    expect(http.asked[0]?.body).toEqual({ prompt: "Hello", add_special_tokens: false });
    expect(await model.provideTokenCount(information, question, token)).toBeGreaterThan(10);
  });

  it("is an estimate only while no server runs", async () => {
    const model = modelOf(new StateInHand({ kind: "stopped" }));
    const [information] = model.provideLanguageModelChatInformation();
    if (!information) throw new Error("There is no model.");
    expect(await model.provideTokenCount(information, "x".repeat(41), token)).toBe(11);
    expect(http.asked).toEqual([]);
  });
});
