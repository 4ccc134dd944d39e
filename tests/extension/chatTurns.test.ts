import { describe, expect, it } from "vitest";
import {
  countedFor,
  firstKept,
  messagesOf,
  type Turn,
  turnsIn,
} from "../../extension/src/chat/turns";

const turn = (askedTokens: number, answerTokens: number, name = "q"): Turn => ({
  asked: [{ role: "user", content: name }],
  answer: `answer to ${name}`,
  askedTokens,
  answerTokens,
  model: "demo",
});

/** The prompts of a growing conversation, each as the numbers of its turns. */
function prompts(turns: readonly Turn[], room: number): readonly number[][] {
  return turns.map((asking, now) => {
    const first = firstKept(turns.slice(0, now), asking.askedTokens, room);
    return Array.from({ length: now - first }, (_, index) => first + index);
  });
}

describe("what is kept of a conversation", () => {
  it("is all of it as long as it fits", () => {
    expect(firstKept([turn(10, 20), turn(10, 20)], 40, 100)).toBe(0);
    expect(firstKept([turn(10, 20), turn(10, 20)], 41, 100)).toBeGreaterThan(0);
  });

  it("shrinks to half of the room at once, and then only grows again for a while", () => {
    const turns = Array.from({ length: 30 }, () => turn(4, 6));
    const kept = prompts(turns, 100);
    const dropped = kept.map((numbers, now) => now - numbers.length);
    // Of 30 questions, few drop anything: the others begin like the one before them.
    expect(new Set(dropped).size).toBeLessThanOrEqual(7);
    for (const numbers of kept) expect(numbers.length * 10 + 4).toBeLessThanOrEqual(100);
    for (const [now, numbers] of kept.entries()) {
      const before = kept[now - 1] ?? [];
      const goesOn = before.every((number, index) => numbers[index] === number);
      if (!goesOn) expect(numbers.length * 10 + 4).toBeLessThanOrEqual(50);
    }
  });

  it("is nothing where the question alone fills the room", () => {
    expect(firstKept([turn(10, 20), turn(10, 20)], 500, 100)).toBe(2);
  });

  it("goes to the model as messages that take turns", () => {
    expect(messagesOf([turn(1, 1, "a"), turn(1, 1, "b")]).map(({ content }) => content)).toEqual([
      "a",
      "answer to a",
      "b",
      "answer to b",
    ]);
  });
});

describe("turns that another model answered", () => {
  const count = (messages: readonly { content: string }[]): Promise<number> =>
    Promise.resolve(messages.reduce((sum, { content }) => sum + content.length, 0));

  it("are counted again, and only they", async () => {
    const own = turn(1, 2, "mine");
    const [counted, kept] = await countedFor("demo", [{ ...own, model: "other" }, own], count);
    expect(counted).toMatchObject({ askedTokens: 4, answerTokens: 14, model: "demo" });
    expect(kept).toBe(own);
  });
});

describe("turns in earlier results", () => {
  it("are found, and whatever else stands there is left out", () => {
    const kept = turn(1, 2);
    expect(
      turnsIn([
        undefined,
        {},
        { metadata: { command: "health" } },
        { metadata: { turn: { asked: "not a list" } } },
        { metadata: { turn: JSON.parse(JSON.stringify(kept)) as unknown } },
      ]),
    ).toEqual([kept]);
  });
});
