import { describe, expect, it } from "vitest";
import { readAddress, shortAddress } from "../../extension/src/compare/address";
import { questionsOf } from "../../extension/src/compare/columns";
import { isToHost } from "../../extension/src/compare/guard";
import { readEntries } from "../../extension/src/webview/compare/entries";

const own = { address: "http://127.0.0.1:8080", model: "demo", device: "CPU" };
const entries = { prompt: "Why?", maxTokens: "64", temperatures: "0, 0.7", other: "", model: "" };

describe("the address of a second server", () => {
  it.each([
    ["127.0.0.1:8000", "http://127.0.0.1:8000"],
    ["http://127.0.0.1:8000/", "http://127.0.0.1:8000"],
    ["localhost:8000/v1", "http://localhost:8000"],
    [" https://api.example.com/v1/ ", "https://api.example.com"],
    ["https://example.com/api/v1", "https://example.com/api"],
  ])("can be written as %s", (text, address) => {
    expect(readAddress(text)).toBe(address);
  });

  it.each(["", "a b", "ftp://example.com", "http://user:key@example.com", "http://a/?key=b"])(
    "cannot be %s",
    (text) => {
      expect(readAddress(text)).toBeUndefined();
    },
  );

  it("is short in a heading", () => {
    expect(shortAddress("https://api.example.com")).toBe("api.example.com");
  });
});

describe("the form", () => {
  it("is read as a comparison", () => {
    expect(readEntries(entries)).toEqual({
      comparison: { prompt: "Why?", maxTokens: 64, temperatures: [0, 0.7] },
    });
    const other = { other: "127.0.0.1:8000/v1", model: " big " };
    expect(readEntries({ ...entries, ...other, temperatures: "0 0 1;2" })).toEqual({
      comparison: {
        prompt: "Why?",
        maxTokens: 64,
        temperatures: [0, 1, 2],
        other: { address: "http://127.0.0.1:8000", model: "big" },
      },
    });
  });

  it.each([
    [{ prompt: " " }, { prompt: "Write a question first." }],
    [{ maxTokens: "0" }, { maxTokens: "A whole number from 1 to 2048." }],
    [{ maxTokens: "" }, { maxTokens: "A whole number from 1 to 2048." }],
    [{ temperatures: "warm" }, { temperatures: "Numbers from 0 to 2, separated by commas." }],
    [{ temperatures: "0, 3" }, { temperatures: "Numbers from 0 to 2, separated by commas." }],
    [{ temperatures: "" }, { temperatures: "Numbers from 0 to 2, separated by commas." }],
    [
      { temperatures: "0 .1 .2 .3 .4 .5 .6 .7 .8" },
      { temperatures: "At most 8, to be read side by side." },
    ],
    [
      { temperatures: "0 .1 .2 .3 .4", other: "a:1" },
      { temperatures: "At most 4, to be read side by side." },
    ],
    [{ other: "ftp://a" }, { other: "An address such as http://127.0.0.1:8000." }],
  ])("with %o is refused beside the field", (different, mistakes) => {
    expect(readEntries({ ...entries, ...different })).toEqual({ mistakes });
  });
});

describe("the columns", () => {
  const comparison = { prompt: "Why?", maxTokens: 64, temperatures: [0, 0.7] };

  it("are the temperatures", () => {
    expect(questionsOf(comparison, own)).toEqual([
      {
        request: { prompt: "Why?", max_tokens: 64, temperature: 0 },
        target: own,
        variant: "Temperature 0",
      },
      {
        request: { prompt: "Why?", max_tokens: 64, temperature: 0.7 },
        target: own,
        variant: "Temperature 0.7",
      },
    ]);
  });

  it("stand in pairs for two servers", () => {
    const other = { address: "http://127.0.0.1:8000", model: "big" };
    const questions = questionsOf({ ...comparison, other }, own);
    expect(questions.map(({ variant }) => variant)).toEqual([
      "This server, temperature 0",
      "127.0.0.1:8000, temperature 0",
      "This server, temperature 0.7",
      "127.0.0.1:8000, temperature 0.7",
    ]);
    expect(questions[1]?.target).toEqual({ ...other, device: "" });
  });
});

describe("the host", () => {
  const comparison = { prompt: "Why?", maxTokens: 64, temperatures: [0, 0.7] };
  const other = { address: "http://127.0.0.1:8000", model: "" };

  it("listens to what its page may say", () => {
    for (const message of [
      { type: "loaded" },
      { type: "compare", comparison },
      { type: "compare", comparison: { ...comparison, other } },
      { type: "cancel", id: "a" },
      { type: "repeat", ids: ["a"] },
      { type: "copy", id: "a", what: "answer" },
      { type: "enterKey", address: other.address },
    ]) {
      expect(isToHost(message), JSON.stringify(message)).toBe(true);
    }
  });

  it("and to nothing else", () => {
    for (const message of [
      undefined,
      { type: "ask", request: { prompt: "Why?" } },
      { type: "compare", comparison: { ...comparison, temperatures: [] } },
      { type: "compare", comparison: { ...comparison, temperatures: Array(9).fill(0) } },
      { type: "compare", comparison: { ...comparison, other: { address: "file:///a" } } },
      { type: "enterKey", address: "http://127.0.0.1:8000/v1" },
      { type: "cancel" },
    ]) {
      expect(isToHost(message), JSON.stringify(message)).toBe(false);
    }
  });
});
