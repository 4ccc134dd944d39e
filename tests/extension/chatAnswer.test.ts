import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { answer } from "../../extension/src/chat/answer";
import type { Talk } from "../../extension/src/chat/talk";
import type { Cost } from "../../extension/src/recentRequests";
import { chunk, events, FakeServer, healthy, usage } from "./fakeServer";

let http: FakeServer;
let stop: AbortController;
/** What the model says before the user stops it; undefined for an answer that ends by itself. */
let before: string | undefined;

beforeEach(async () => {
  stop = new AbortController();
  http = await new FakeServer(({ path, response }) => {
    if (path === "/tokenize") response.end(JSON.stringify({ count: 10 }));
    else if (before === "") stop.abort();
    else if (before === undefined) {
      response.end(events(chunk({ content: "Paris" }), chunk({}, "stop"), usage(10, 1), "[DONE]"));
    } else response.write(events(chunk({ content: before })));
  }).listen();
});

afterEach(() => http.close());

/** What the answer has cost, if it was told. */
let cost: Cost | undefined;

function ask() {
  const response = {
    markdown: (text: string) => {
      if (text === before) stop.abort();
    },
    reference: () => undefined,
  };
  cost = undefined;
  const spent = (told: Cost): unknown => (cost = told);
  const talk = { prompt: "?", references: [], turns: [], response, signal: stop.signal, spent };
  const ready = { kind: "ready", address: http.address, health: healthy() } as const;
  return answer(talk as unknown as Talk, ready, "?");
}

describe("what an answer leaves for later turns", () => {
  it("is question and answer, and whose tokens they are", async () => {
    before = undefined;
    expect(await ask()).toMatchObject({ answer: "Paris", answerTokens: 1, model: "ttdirect-demo" });
    expect(cost?.tokensPerSecond).toBeGreaterThan(0);
  });

  it("is what was said until the user stopped it", async () => {
    before = "Par";
    expect(await ask()).toMatchObject({ answer: "Par" });
    expect(cost).toBeUndefined();
  });

  it("is nothing where it was stopped before its first word", async () => {
    before = "";
    expect(await ask()).toBeUndefined();
  });
});
