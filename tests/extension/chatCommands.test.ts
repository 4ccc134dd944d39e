import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { figures } from "../../extension/src/chat/answer";
import { sectionMeant, sectionsOf } from "../../extension/src/chat/explain";
import { followupsAfter } from "../../extension/src/chat/followups";
import { together } from "../../extension/src/chat/measure";
import { fix, lastMishap } from "../../extension/src/chat/state";
import { slashCommands } from "../../extension/src/ids";
import { chatResult, resultRecord } from "./resultsRecord";

const script = readFileSync("backend/ttdirect/script/tt-api-server-direct.py.template", "utf8");

describe("the sections of the script", () => {
  const sections = sectionsOf(script);

  it("are those of the real one, each up to the next", () => {
    expect(sections.map(({ title }) => title)).toEqual([
      "1. Settings",
      "2. The model, loaded once",
      "3. A request",
      "4. The routes",
      "5. Start and stop",
    ]);
    expect(sections.map(({ endLine }) => endLine)).toEqual([
      ...sections.slice(1).map(({ firstLine }) => firstLine),
      script.split("\n").length,
    ]);
  });

  it.each([
    ["4", "4. The routes"],
    ["the routes", "4. The routes"],
    ["How is the model loaded?", "2. The model, loaded once"],
    ["Settings", "1. Settings"],
  ])("are found by '%s'", (words, title) => {
    expect(sectionMeant(words, sections)?.title).toBe(title);
  });

  it.each(["", "What is this?", "9"])("are not guessed from '%s'", (words) => {
    expect(sectionMeant(words, sections)).toBeUndefined();
  });
});

describe("the last mishap", () => {
  const failure = { code: "killed", what: "It was killed.", fix: "Start it again." };
  const refused = resultRecord({ id: "b", status: "failed", error: "The queue is full." });

  it("is the server's end, before any request", () => {
    const mishap = lastMishap({ kind: "failed", failure }, [refused]);
    expect(mishap?.what).toBe("The server ended. It was killed. Start it again.");
    expect(mishap?.remedies.map(({ title }) => title)).toContain("Start Again");
  });

  it("is else the last request that failed", () => {
    const mishap = lastMishap({ kind: "stopped" }, [resultRecord(), refused]);
    expect(mishap?.what).toContain("The queue is full.");
  });

  it("is over when a later request was answered", () => {
    expect(lastMishap({ kind: "stopped" }, [refused, resultRecord()])).toBeUndefined();
  });

  it("keeps the marks of Markdown in a prompt from working", () => {
    const request = { prompt: "[a](command:b)\n**c**", max_tokens: 1 };
    const mishap = lastMishap({ kind: "stopped" }, [{ ...refused, request }]);
    expect(mishap?.what).toContain("\\[a](command:b) \\*\\*c\\*\\*");
  });

  it("is none where all went well, and that is said", () => {
    const said: unknown[] = [];
    const mishap = lastMishap({ kind: "stopped" }, [resultRecord()]);
    fix({ markdown: (text) => said.push(text), button: () => undefined }, mishap);
    expect(mishap).toBeUndefined();
    expect(said).toEqual([expect.stringContaining("Nothing has gone wrong")]);
  });
});

describe("figures", () => {
  it("of an answer are its tokens, times, and what was cached", () => {
    const completion = {
      finishReason: "stop",
      calls: [],
      promptTokens: 90,
      cachedTokens: 0,
      completionTokens: 50,
    };
    expect(figures(completion, 0.5, 0.02)).toBe(
      "50 tokens in 0.50 s · 100 tokens/s · first after 20 ms",
    );
    expect(figures({ ...completion, cachedTokens: 64 }, 0.5, 0.02)).toContain(
      "64 of 90 prompt tokens cached",
    );
    expect(figures({ ...completion, completionTokens: 1 }, 0.5, undefined)).toBe(
      "1 token in 0.50 s · 2 tokens/s",
    );
  });

  it("of answers at once compare them with one after the other", () => {
    const results = [1, 2].map(() => chatResult({ tokens_generated: 30, time_seconds: 1.5 }));
    expect(together(results, 2)).toBe(
      "2 answers in 2.00 s, 30 tokens/s together. Their own times add up to 3.00 s: the model " +
        "answered them in the same steps.",
    );
  });
});

describe("follow-ups", () => {
  it.each(slashCommands)("lead on from /%s to something else", (command) => {
    const followups = followupsAfter(command, [], true);
    expect(followups.length).toBeGreaterThan(0);
    for (const { prompt, command: next } of followups) {
      expect(`${next} ${prompt}`).not.toBe(`${command} `);
    }
  });

  it("propose no part of the script that was just explained", () => {
    const labels = followupsAfter("explain", ["the routes"], true).map(({ label }) => label);
    expect(labels).toEqual(["How is the model loaded?"]);
  });

  it("propose no question twice, and no lesson to a model that knows more", () => {
    const [first] = followupsAfter(undefined, [], true);
    const prompts = followupsAfter(undefined, [first?.prompt ?? ""], true).map((f) => f.prompt);
    expect(prompts).not.toContain(first?.prompt);
    expect(followupsAfter(undefined, [], false)).not.toContainEqual(first);
  });
});
