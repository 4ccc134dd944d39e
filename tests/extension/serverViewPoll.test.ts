import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Poll } from "../../extension/src/poll";

const every = 1000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A poll whose questions are answered at once. */
function counting(): { readonly poll: Poll; readonly asked: () => number } {
  const ask = vi.fn<(signal: AbortSignal) => Promise<void>>(() => Promise.resolve());
  return { poll: new Poll(ask, every), asked: () => ask.mock.calls.length };
}

test("asks at once, then every so often, until nobody looks", async () => {
  const { poll, asked } = counting();
  await vi.advanceTimersByTimeAsync(5 * every);
  expect(asked()).toBe(0);
  poll.isWanted = true;
  poll.isWanted = true;
  expect(asked()).toBe(1);
  await vi.advanceTimersByTimeAsync(3 * every);
  expect(asked()).toBe(4);
  poll.isWanted = false;
  await vi.advanceTimersByTimeAsync(10 * every);
  expect(asked()).toBe(4);
  expect(vi.getTimerCount()).toBe(0);
  poll.isWanted = true;
  expect(asked()).toBe(5);
});

test("asks nothing new while an answer is on its way", async () => {
  const answers: (() => void)[] = [];
  const ask = vi.fn(() => new Promise<void>((resolve) => void answers.push(resolve)));
  const poll = new Poll(ask, every);
  poll.isWanted = true;
  await vi.advanceTimersByTimeAsync(10 * every);
  expect(ask).toHaveBeenCalledTimes(1);
  answers[0]?.();
  await vi.advanceTimersByTimeAsync(every - 1);
  expect(ask).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(ask).toHaveBeenCalledTimes(2);
});

test("gives up a question when nobody looks any more", async () => {
  const signals: AbortSignal[] = [];
  const ask = (signal: AbortSignal): Promise<void> => {
    signals.push(signal);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  };
  const poll = new Poll(ask, every);
  poll.isWanted = true;
  poll.isWanted = false;
  poll.isWanted = true;
  await vi.advanceTimersByTimeAsync(10 * every);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("hurries when told to, also in the middle of a question, but not for nobody", async () => {
  const { poll, asked } = counting();
  poll.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked()).toBe(0);
  poll.isWanted = true;
  poll.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked()).toBe(2);
  poll.hurry();
  await vi.advanceTimersByTimeAsync(0);
  expect(asked()).toBe(3);
  await vi.advanceTimersByTimeAsync(every);
  expect(asked()).toBe(4);
});
