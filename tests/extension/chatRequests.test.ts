import { expect, test } from "vitest";
import { ChatRequests } from "../../extension/src/chat/chatRequests";

const cost = { seconds: 2, tokensPerSecond: 40 };

test("a question is listed while it is answered, and with what it has cost", async () => {
  const requests = new ChatRequests();
  let changes = 0;
  requests.onDidChange(() => (changes += 1));
  const { signal } = new AbortController();
  const answered = requests.follow(
    "Why?",
    (spent) => {
      expect(requests.requests).toMatchObject([{ prompt: "Why?", status: "running" }]);
      spent(cost);
      return Promise.resolve("Because.");
    },
    signal,
  );
  expect(await answered).toBe("Because.");
  expect(requests.requests).toMatchObject([{ prompt: "Why?", status: "done", cost }]);
  expect(changes).toBe(2);
});

test("what was given up or has failed says so, and the failure goes on", async () => {
  const requests = new ChatRequests();
  const giveUp = new AbortController();
  const stopped = requests.follow(
    "Stop",
    () => {
      giveUp.abort();
      return Promise.resolve();
    },
    giveUp.signal,
  );
  await stopped;
  const failing = requests.follow(
    "Fail",
    () => Promise.reject(new Error("no")),
    new AbortController().signal,
  );
  await expect(failing).rejects.toThrow("no");
  expect(requests.requests).toMatchObject([
    { status: "cancelled" },
    { status: "failed", error: expect.stringContaining("no") as string },
  ]);
});

test("a question that went to no model is not listed, and the oldest are forgotten", async () => {
  const requests = new ChatRequests();
  const { signal } = new AbortController();
  await requests.follow("/explain", () => Promise.resolve(), signal);
  expect(requests.requests).toEqual([]);
  for (let number = 0; number < 30; number += 1) {
    const prompt = String(number);
    await requests.follow(
      prompt,
      (spent) => {
        spent(cost);
        return Promise.resolve();
      },
      signal,
    );
  }
  expect(requests.requests[0]?.prompt).toBe("10");
  expect(requests.requests.at(-1)?.prompt).toBe("29");
});
