// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import type { ToHost } from "../../extension/src/compare/protocol";
import type { ResultRecord } from "../../extension/src/results/protocol";
import type { Entries } from "../../extension/src/webview/compare/entries";
import { testIds } from "../../extension/src/webview/compare/testids";
import { CompareView } from "../../extension/src/webview/compare/view";
import { testIds as shared } from "../../extension/src/webview/testids";
import { runningRecord } from "./resultsRecord";

const now = 1_001_000;
let posted: ToHost[];
let state: Partial<Entries> | undefined;
let view: CompareView;

function open(): void {
  document.body.replaceChildren();
  posted = [];
  view = new CompareView(document.body, {
    postMessage: (message) => void posted.push(message),
    getState: () => state,
    setState: (newer) => void (state = newer),
  });
}

function all(testId: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[data-testid="${testId}"]`)];
}

function the(testId: string): HTMLElement {
  const [found] = all(testId);
  if (!found) throw new Error(`nothing for ${testId}`);
  return found;
}

function write(testId: string, text: string): void {
  const input = the(testId) as HTMLInputElement;
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Two columns of one comparison. */
function columns(...different: readonly Partial<ResultRecord>[]): ResultRecord[] {
  return different.map((more, index) =>
    runningRecord({ id: `c${index}`, batch: "b", title: "Why?", variant: `T ${index}`, ...more }),
  );
}

beforeEach(() => {
  state = undefined;
  open();
});

describe("the page that compares", () => {
  it("sends the question with its temperatures, and keeps what is written", () => {
    write(testIds.prompt, "Why?");
    write(testIds.temperatures, "0, 1");
    the(testIds.compare).click();
    const comparison = { prompt: "Why?", maxTokens: 128, temperatures: [0, 1] };
    expect(posted).toEqual([{ type: "loaded" }, { type: "compare", comparison }]);
    open();
    expect((the(testIds.prompt) as HTMLTextAreaElement).value).toBe("Why?");
  });

  it("says beside the field what is wrong, and sends nothing", () => {
    write(testIds.prompt, "Why?");
    write(testIds.temperatures, "hot");
    the(testIds.compare).click();
    expect(document.activeElement).toBe(the(testIds.temperatures));
    expect(document.getElementById("temperatures-mistake")?.textContent).toContain("from 0 to 2");
    expect(posted).toEqual([{ type: "loaded" }]);
  });

  it("asks for model and key of a second server only", () => {
    const model = (): Element | null => the(testIds.model).closest("[hidden]");
    expect([model() !== null, the(testIds.key).hidden]).toEqual([true, true]);
    write(testIds.other, "127.0.0.1:8000/v1");
    const address = "http://127.0.0.1:8000";
    expect([model() !== null, the(testIds.key).hidden]).toEqual([false, false]);
    expect(posted.at(-1)).toEqual({ type: "lookForKey", address });
    the(testIds.key).click();
    expect(posted.at(-1)).toEqual({ type: "enterKey", address });
    view.receive({ type: "key", address: "http://other", isKept: true });
    expect(the(testIds.key).textContent).toBe("Key");
    view.receive({ type: "key", address, isKept: true });
    expect(the(testIds.key).textContent).toBe("Key is kept");
  });

  it("shows columns under what tells them apart, each with its own end", () => {
    const error = "Nobody answers at http://127.0.0.1:8000.";
    const result = {
      prompt: "Why?",
      response: "Paris.",
      tokens_generated: 32,
      time_seconds: 0.84,
      tokens_per_second: 38.1,
      finish_reason: "stop",
      ttft_seconds: 0.12,
    };
    view.receive({
      type: "all",
      now,
      records: columns(
        { status: "done", endedAt: 1_000_840, text: "Paris.", result },
        { status: "failed", endedAt: 1_000_010, error, device: "" },
        { text: "Par" },
      ),
    });
    expect(all(shared.cardPrompt).map((heading) => heading.textContent)).toEqual([
      "T 0",
      "T 1",
      "T 2",
    ]);
    expect(document.querySelector(".batch h2")?.textContent).toBe("Why?");
    expect(all(shared.card).map((card) => card.dataset["status"])).toEqual([
      "done",
      "failed",
      "running",
    ]);
    expect(the(shared.figures).textContent).not.toContain("Queue");
    expect(all(shared.copyCurl)).toEqual([]);
    the(shared.copyAnswer).click();
    expect(posted.at(-1)).toEqual({ type: "copy", id: "c0", what: "answer" });
  });

  it("cancels all columns at once, and repeats them", () => {
    view.receive({ type: "all", now, records: columns({}, {}) });
    expect(the(shared.repeatAll).hidden).toBe(true);
    the(shared.cancelAll).focus();
    the(shared.cancelAll).click();
    expect(posted.slice(-2)).toEqual([
      { type: "cancel", id: "c0" },
      { type: "cancel", id: "c1" },
    ]);
    for (const record of columns({ status: "cancelled", endedAt: now }, {})) {
      view.receive({ type: "changed", record, now });
    }
    expect(the(shared.repeatAll).hidden).toBe(true);
    const [, second] = columns({}, { status: "cancelled", endedAt: now });
    if (second) view.receive({ type: "changed", record: second, now });
    expect(document.activeElement).toBe(the(shared.repeatAll));
    the(shared.repeatAll).click();
    expect(posted.at(-1)).toEqual({ type: "repeat", ids: ["c0", "c1"] });
  });
});
