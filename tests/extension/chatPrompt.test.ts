import { describe, expect, it } from "vitest";
import { type Attachment, exchangeOf, shortened } from "../../extension/src/chat/attachments";
import { promptOf } from "../../extension/src/chat/prompt";
import type { Turn } from "../../extension/src/chat/turns";
import type { Message } from "../../extension/src/server/openai";

/** A token for each character, so that the numbers can be seen. */
const count = (messages: readonly Message[]): Promise<number> =>
  Promise.resolve(messages.reduce((sum, { content }) => sum + content.length, 0));

const file = (lines: number): Attachment => ({
  name: "server.py",
  language: "python",
  text: "line of code\n".repeat(lines),
});

describe("a prompt", () => {
  it("is the question alone where there is nothing else", async () => {
    const prompt = await promptOf("Why?", [], [], 1000, count);
    expect(prompt).toMatchObject({ askedTokens: 4, dropped: 0, isCut: false });
    expect(prompt.messages).toEqual([{ role: "user", content: "Why?" }]);
  });

  it("has the attachments before the question, so that the question stays by itself", async () => {
    const { messages, asked } = await promptOf("Why?", [file(2)], [], 1000, count);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(messages[0]?.content).toContain("server.py:\n```python\nline of code");
    expect(asked).toEqual(messages);
  });

  it("cuts attachments that do not fit, at the end of a line, and says so", async () => {
    const { messages, askedTokens, isCut } = await promptOf("Why?", [file(500)], [], 1000, count);
    expect(isCut).toBe(true);
    expect(askedTokens).toBeLessThanOrEqual(750);
    expect(askedTokens).toBeGreaterThan(500);
    expect(messages[0]?.content).toMatch(/line of code\n\[\.\.\.\]\n```$/);
    expect(messages.at(-1)?.content).toBe("Why?");
  });

  it("never sends what is far too much to be counted", async () => {
    const lengths: number[] = [];
    const { isCut, askedTokens } = await promptOf("Why?", [file(100_000)], [], 1000, (messages) => {
      lengths.push(messages.reduce((sum, { content }) => sum + content.length, 0));
      return count(messages);
    });
    expect(isCut).toBe(true);
    expect(Math.max(...lengths)).toBeLessThan(13_000);
    expect(askedTokens).toBeLessThanOrEqual(750);
  });

  it("drops the oldest turns and never the question", async () => {
    const turn: Turn = {
      asked: [{ role: "user", content: "Before?" }],
      answer: "So.",
      askedTokens: 300,
      answerTokens: 100,
      model: "demo",
    };
    const { messages, dropped } = await promptOf("Why?", [], [turn, turn], 1000, count);
    expect(dropped).toBe(2);
    expect(messages).toHaveLength(1);
    expect((await promptOf("Why?", [], [turn], 1000, count)).messages).toHaveLength(3);
  });
});

describe("attachments", () => {
  it("are fenced by more than what stands in them", () => {
    const text = "````\ncode\n````";
    const [message] = exchangeOf([{ name: "a.md", language: "markdown", text }]);
    expect(message?.content).toBe(`a.md:\n\`\`\`\`\`markdown\n${text}\n\`\`\`\`\``);
    expect(exchangeOf([])).toEqual([]);
  });

  it("that are cut to nothing keep their name", () => {
    expect(shortened([file(3)], 0)).toEqual([{ ...file(0), text: "[...]" }]);
  });
});
