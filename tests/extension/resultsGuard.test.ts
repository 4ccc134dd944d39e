import { describe, expect, it } from "vitest";
import { isResultRecord, isToHost } from "../../extension/src/results/guard";
import { chatResult, resultRecord, runningRecord } from "./resultsRecord";

describe("messages of the webview", () => {
  it.each([
    { type: "loaded" },
    { type: "ask", request: { prompt: "Why?" } },
    { type: "ask", request: { prompt: "Why?", max_tokens: 8, temperature: 0.5 } },
    { type: "askSeveral" },
    { type: "repeat", ids: ["a", "b"] },
    { type: "cancel", id: "a" },
    { type: "copy", id: "a", what: "curl" },
    { type: "copy", id: "a", what: "answer" },
    { type: "clear" },
    { type: "undoClear" },
    { type: "export" },
    { type: "startServer" },
  ])("lets $type pass", (message) => {
    expect(isToHost(message)).toBe(true);
  });

  it.each([
    undefined,
    null,
    "loaded",
    {},
    { type: 7 },
    { type: "executeCommand", command: "workbench.action.quit" },
    { type: "toString" },
    { type: "__proto__" },
    { type: "ask" },
    { type: "ask", request: { prompt: 7 } },
    { type: "ask", request: { prompt: "Why?", max_tokens: "8" } },
    { type: "ask", request: { prompt: "Why?", temperature: NaN } },
    { type: "ask", request: { prompt: "Why?", address: "http://example.com" } },
    { type: "repeat", ids: "a" },
    { type: "repeat", ids: [7] },
    { type: "cancel" },
    { type: "copy", id: "a", what: "perl" },
  ])("stops %j", (message) => {
    expect(isToHost(message)).toBe(false);
  });
});

describe("stored records", () => {
  it("knows its own", () => {
    expect(isResultRecord(resultRecord())).toBe(true);
    expect(isResultRecord(runningRecord())).toBe(true);
    const { queue_seconds: queue, ...figures } = chatResult();
    expect(queue).toBe(0);
    expect(isResultRecord({ ...resultRecord(), variant: "There", result: figures })).toBe(true);
  });

  it("rejects others", () => {
    expect(isResultRecord({ ...resultRecord(), sentAt: "today" })).toBe(false);
    expect(isResultRecord({ ...resultRecord(), result: {} })).toBe(false);
    expect(isResultRecord({ ...resultRecord(), status: "lost" })).toBe(false);
  });
});
