import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AnswerFigures, ResultRecord } from "../../extension/src/results/protocol";
import { failureSentence, Runner } from "../../extension/src/results/runner";
import type { Chat } from "../../extension/src/results/runner";
import { ServerRefusedError, UnreachableError } from "../../extension/src/server/http";
import { chatResult } from "./resultsRecord";

const target = { address: "http://127.0.0.1:8080", model: "demo", device: "CPU" };

/** A server whose answers the test writes itself. */
class Hand implements Chat {
  readonly open: {
    readonly prompt: string;
    readonly write: (text: string) => void;
    readonly end: (result: AnswerFigures) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];

  chat: Chat["chat"] = ({ prompt }, write, signal) =>
    new Promise((end, fail) => {
      signal.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError")));
      this.open.push({ prompt, write, end, fail });
    });
}

function setUp() {
  const hand = new Hand();
  const states: ResultRecord[] = [];
  const note = (record: ResultRecord): void => void states.push(record);
  const runner = new Runner({ add: note, change: note }, () => hand);
  return { hand, states, runner };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the runner", () => {
  it("sends the requests of a batch at the same time", async () => {
    const { hand, runner } = setUp();
    const run = runner.run("Several", [{ prompt: "a" }, { prompt: "b" }], target);
    expect(hand.open.map(({ prompt }) => prompt)).toEqual(["a", "b"]);
    hand.open[1]?.end(chatResult({ response: "B" }));
    hand.open[0]?.end(chatResult({ response: "A" }));
    const records = await run;
    expect(records.map(({ text, status }) => [text, status])).toEqual([
      ["A", "done"],
      ["B", "done"],
    ]);
    expect(new Set(records.map(({ batch }) => batch)).size).toBe(1);
    expect(records[0]).toMatchObject({ ...target, title: "Several" });
  });

  it("shows the first text at once, and what follows at most 20 times a second", async () => {
    const { hand, states, runner } = setUp();
    const run = runner.run("One", [{ prompt: "a" }], target);
    const [answer] = hand.open;
    for (let token = 0; token < 1000; token += 1) {
      answer?.write("x");
      await vi.advanceTimersByTimeAsync(1);
    }
    // The record as it was added, its first text, and one a time slice.
    expect(states.length).toBeGreaterThan(15);
    expect(states.length).toBeLessThanOrEqual(22);
    expect(states[1]?.text).toBe("x");
    answer?.end(chatResult({ response: "x".repeat(1000) }));
    const [record] = await run;
    expect(record?.firstTextAt).toBe(record?.sentAt);
    expect((record?.endedAt ?? 0) - (record?.sentAt ?? 0)).toBe(1000);
    const after = states.length;
    await vi.advanceTimersByTimeAsync(1000);
    expect(states.length).toBe(after);
  });

  it("cancels one request and leaves the others alone", async () => {
    const { hand, states, runner } = setUp();
    const run = runner.run("Several", [{ prompt: "a" }, { prompt: "b" }], target);
    hand.open[0]?.write("half");
    runner.cancel(states[0]?.id ?? "");
    hand.open[1]?.end(chatResult());
    const records = await run;
    expect(records.map(({ status }) => status)).toEqual(["cancelled", "done"]);
    expect(records[0]).toMatchObject({ text: "half" });
    expect(records[0]?.error).toBeUndefined();
  });

  it("cancels everything at the end, and minds no request that it does not know", async () => {
    const { runner } = setUp();
    const run = runner.run("Several", [{ prompt: "a" }, { prompt: "b" }], target);
    runner.cancel("unknown");
    runner.cancelAll();
    expect((await run).map(({ status }) => status)).toEqual(["cancelled", "cancelled"]);
  });

  it("keeps what came before a failure, with the reason", async () => {
    const { hand, runner } = setUp();
    const run = runner.run("One", [{ prompt: "a" }], target);
    hand.open[0]?.write("half");
    hand.open[0]?.fail(new ServerRefusedError("The queue is full.", 503));
    const [record] = await run;
    expect(record).toMatchObject({ status: "failed", text: "half", error: "The queue is full." });
  });
});

describe("a batch for several servers", () => {
  const other = { address: "http://127.0.0.1:8000", model: "", device: "" };

  it("asks each its own, and the failure of one leaves the others alone", async () => {
    const hands = { [target.address]: new Hand(), [other.address]: new Hand() };
    const history = { add: () => undefined, change: () => undefined };
    const runner = new Runner(
      history,
      ({ address }) => hands[address] ?? new Hand(),
      (error, { address }) => `${String(error)} at ${address}`,
    );
    const request = { prompt: "a" };
    const run = runner.ask("Two", [
      { request, target, variant: "Here" },
      { request, target: other, variant: "There" },
      { request, target: other, variant: "There again" },
    ]);
    hands[other.address]?.open[0]?.fail("Full");
    hands[other.address]?.open[1]?.end({ ...chatResult(), model: "theirs" });
    hands[target.address]?.open[0]?.end(chatResult());
    const records = await run;
    expect(records).toMatchObject([
      { status: "done", variant: "Here", model: "demo" },
      { status: "failed", variant: "There", error: `Full at ${other.address}` },
      { status: "done", variant: "There again", model: "theirs" },
    ]);
    expect(new Set(records.map(({ batch }) => batch)).size).toBe(1);
  });
});

describe("what a failure says", () => {
  it("adds the next step to a missing server", () => {
    expect(failureSentence(new UnreachableError("Nobody answers at X."))).toBe(
      "Nobody answers at X. Start the server and repeat the request.",
    );
  });

  it("explains where a key comes from", () => {
    const sentence = failureSentence(new ServerRefusedError("This server needs an API key.", 401));
    expect(sentence).toContain("This server needs an API key.");
    expect(sentence).toContain("Enter the Server's Key");
  });

  it("passes on the server's own sentence", () => {
    const own = "The field 'max_tokens' has to be a whole number from 1 to 2048.";
    expect(failureSentence(new ServerRefusedError(own, 400))).toBe(own);
  });

  it("has words for an answer that is none, and for the unexpected", () => {
    expect(failureSentence(new SyntaxError("Unexpected token"))).toContain("right program");
    expect(failureSentence(new Error("boom"))).toContain("boom");
  });
});
