// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ResultRecord, ToHost, ToWebview } from "../../extension/src/results/protocol";
import type { PageState } from "../../extension/src/webview/host";
import { testIds } from "../../extension/src/webview/testids";
import { View } from "../../extension/src/webview/view";
import { resultRecord, runningRecord } from "./resultsRecord";

// The chart draws on a canvas, which only a browser has.
vi.mock("uplot", () => ({ default: vi.fn() }));

const now = 1_001_000;

let posted: ToHost[];
let state: PageState | undefined;
let view: View;

function open(): void {
  document.body.replaceChildren();
  posted = [];
  view = new View(document.body, {
    postMessage: (message) => void posted.push(message),
    getState: () => state,
    setState: (newer) => void (state = newer),
  });
}

function show(...records: readonly ResultRecord[]): void {
  view.receive({ type: "all", records, now });
}

function all(name: keyof typeof testIds): readonly HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[data-testid="${testIds[name]}"]`)];
}

function the(name: keyof typeof testIds): HTMLElement {
  const [found, ...others] = all(name);
  if (!found || others.length > 0) throw new Error(`${others.length + 1} elements for ${name}`);
  return found;
}

/** Input and text area are alike in what the tests need of them. */
function field(name: "prompt" | "maxTokens" | "temperature"): HTMLInputElement {
  return the(name) as HTMLInputElement;
}

function paragraph(text: string): Element | undefined {
  return [...the("answer").querySelectorAll("p")].find((found) => found.textContent === text);
}

function write(name: "prompt" | "maxTokens" | "temperature", text: string): void {
  field(name).value = text;
  field(name).dispatchEvent(new Event("input", { bubbles: true }));
}

function press(key: string, modifiers: KeyboardEventInit = {}): void {
  the("prompt").dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...modifiers }),
  );
}

beforeEach(() => {
  state = undefined;
  open();
});

describe("the view", () => {
  it("brings a request into sight, and marks it until the reader goes on", () => {
    const old = resultRecord({ id: "old", batch: "old", sentAt: 1 });
    show(old, resultRecord({ id: "new", batch: "new", sentAt: 2 }));
    view.receive({ type: "reveal", id: "gone" });
    view.receive({ type: "reveal", id: "old" });
    const [, card] = all("card");
    expect(document.activeElement).toBe(card);
    expect(card?.classList.contains("revealed")).toBe(true);
    card?.blur();
    expect(card?.classList.contains("revealed")).toBe(false);
  });

  it("says that it listens, and what to do when there is nothing yet", () => {
    show();
    expect(posted).toEqual([{ type: "loaded" }]);
    expect(the("empty").hidden).toBe(false);
    expect([the("clear").hidden, the("export").hidden, the("chart").hidden]).toEqual([
      true,
      true,
      true,
    ]);
    the("askSeveral").click();
    expect(posted.at(-1)).toEqual({ type: "askSeveral" });
  });

  it("offers to start a server that does not run", () => {
    const tell = (server: Extract<ToWebview, { type: "server" }>["server"]): void =>
      view.receive({ type: "server", server });
    tell({ state: "stopped", text: "The server is not running." });
    expect(the("serverState").textContent).toContain("The server is not running.");
    the("startServer").click();
    expect(posted.at(-1)).toEqual({ type: "startServer" });
    tell({ state: "ready", text: "Ready" });
    expect(the("startServer").hidden).toBe(true);
    expect(the("serverState").dataset["state"]).toBe("ready");
  });

  it("reads out that the server's state is another one, not its seconds and counts", () => {
    const spoken = (): string =>
      document.querySelector('body > [role="status"]')?.textContent ?? "";
    const tell = (state: "loading" | "ready", text: string): void =>
      view.receive({ type: "server", server: { state, text } });
    tell("loading", "Loading, 1 s");
    tell("loading", "Loading, 2 s");
    expect(spoken()).toBe("");
    tell("ready", "Ready");
    tell("ready", "Ready, 3 running");
    expect(spoken()).toBe("Ready");
    expect(the("serverState").textContent).toContain("3 running");
  });
});

describe("the prompt box", () => {
  it("sends with its button and with Ctrl+Enter, not with Enter", () => {
    write("prompt", "Why?");
    the("ask").click();
    press("Enter");
    press("Enter", { ctrlKey: true });
    press("Enter", { metaKey: true });
    const ask = { type: "ask", request: { prompt: "Why?", max_tokens: 128, temperature: 0 } };
    expect(posted).toEqual([{ type: "loaded" }, ask, ask, ask]);
  });

  it("says beside the field what is wrong, and stops when it is put right", () => {
    write("prompt", "Why?");
    write("maxTokens", "5000");
    expect(the("maxTokens").hasAttribute("aria-invalid")).toBe(false);
    the("ask").click();
    const mistake = document.getElementById("max-tokens-mistake");
    expect(mistake?.textContent).toBe("A whole number from 1 to 2048.");
    expect(the("maxTokens").getAttribute("aria-describedby")).toBe("max-tokens-mistake");
    expect(document.activeElement).toBe(the("maxTokens"));
    write("maxTokens", "50");
    expect(mistake?.hidden).toBe(true);
    expect(posted).toEqual([{ type: "loaded" }]);
  });

  it("is filled by the host, without complaints", () => {
    view.receive({ type: "compose", request: { prompt: "", max_tokens: 16 } });
    expect(field("maxTokens").value).toBe("16");
    expect(document.querySelector("[aria-invalid]")).toBeNull();
    expect(document.activeElement).toBe(the("prompt"));
  });

  it("remembers what was written while the view is hidden", () => {
    write("prompt", "A long thought");
    write("temperature", "0.7");
    open();
    expect(field("prompt").value).toBe("A long thought");
    expect(field("temperature").value).toBe("0.7");
  });
});

describe("a card", () => {
  it("shows prompt, answer, figures, model and device", () => {
    show(resultRecord());
    expect(the("cardPrompt").textContent).toBe("What is the capital of France?");
    expect(the("answer").textContent.trim()).toBe("Paris.");
    expect(the("status").textContent).toBe("Done");
    const headings = [...the("figures").querySelectorAll("th")].map((cell) => cell.textContent);
    const values = [...the("figures").querySelectorAll("td")].map((cell) => cell.textContent);
    expect(headings).toEqual(["Tokens", "Time", "TTFT", "Tokens/s", "Queue"]);
    expect(values).toEqual(["32", "840 ms", "120 ms", "38.1", "0 ms"]);
    expect(the("card").textContent).toContain("demo");
    expect(the("card").textContent).toContain("CPU");
  });

  it("grows with its answer, can be cancelled, and then be repeated", () => {
    show();
    const change = (record: ResultRecord): void => view.receive({ type: "changed", record, now });
    change(runningRecord());
    const card = the("card");
    expect(card.dataset["status"]).toBe("running");
    expect(the("repeat").hidden).toBe(true);
    change(runningRecord({ text: "One.\n\nTwo.\n\nPa" }));
    const second = paragraph("Two.");
    change(runningRecord({ text: "One.\n\nTwo.\n\nParis." }));
    expect(paragraph("Paris.")).toBeDefined();
    // What has not changed stays the same element, with the reader's selection in it.
    expect(paragraph("Two.")).toBe(second);
    the("cancel").focus();
    the("cancel").click();
    expect(posted.at(-1)).toEqual({ type: "cancel", id: "a" });
    change(runningRecord({ status: "cancelled", endedAt: 1_000_840 }));
    expect(the("card")).toBe(card);
    expect(the("status").textContent).toBe("Cancelled · 840 ms");
    expect(the("cancel").hidden).toBe(true);
    expect(document.activeElement).toBe(the("repeat"));
    the("repeat").click();
    expect(posted.at(-1)).toEqual({ type: "repeat", ids: ["a"] });
  });

  it("says why it failed, and why an answer ended early", () => {
    show(runningRecord({ status: "failed", error: "The queue is full.", endedAt: 1_000_010 }));
    expect(the("error").textContent).toBe("The queue is full.");
    expect(all("figures")).toEqual([]);
    expect(the("copyAnswer").hidden).toBe(true);
    const record = resultRecord();
    if (record.result) {
      show({ ...record, result: { ...record.result, finish_reason: "length" } });
    }
    expect(the("card").textContent).toContain("its limit of tokens");
  });

  it.each([
    ["copyAnswer", "answer"],
    ["copyCurl", "curl"],
    ["copyPython", "python"],
    ["copyJavascript", "javascript"],
  ] as const)("copies by %s and confirms it", (name, what) => {
    show(resultRecord());
    the(name).click();
    expect(posted.at(-1)).toEqual({ type: "copy", id: "a", what });
    view.receive({ type: "copied", id: "a", what });
    expect(the(name).textContent).toBe("Copied");
  });
});

describe("the list", () => {
  it("stands newest first, and a batch side by side under one time line", () => {
    show(
      resultRecord(),
      resultRecord({ id: "b", batch: "two", sentAt: 2_000_000, endedAt: 2_000_800 }),
      resultRecord({ id: "c", batch: "two", sentAt: 2_000_000, endedAt: 2_000_900 }),
    );
    const [newest, oldest] = all("batch");
    expect(newest?.querySelectorAll("article").length).toBe(2);
    expect(oldest?.querySelectorAll("article").length).toBe(1);
    const lines = all("timeline");
    expect(lines.map(({ hidden }) => hidden)).toEqual([false, true]);
    expect(lines[0]?.querySelectorAll("li").length).toBe(2);
    expect(all("timelineText")[0]?.textContent).toMatch(/^2 answers in 900 ms\. One after another/);
    all("repeatAll")[0]?.click();
    expect(posted.at(-1)).toEqual({ type: "repeat", ids: ["b", "c"] });
  });

  it("clears without a question, and offers to undo it", () => {
    const record = resultRecord();
    show(record, runningRecord({ id: "b", batch: "b" }));
    the("clear").click();
    expect(posted.at(-1)).toEqual({ type: "clear" });
    show(runningRecord({ id: "b", batch: "b" }));
    expect(all("card").length).toBe(1);
    expect(the("undo").parentElement?.textContent).toBe("1 result cleared.Undo");
    expect(document.activeElement).toBe(the("undo"));
    the("undo").click();
    expect(posted.at(-1)).toEqual({ type: "undoClear" });
    expect(the("undo").parentElement?.hidden).toBe(true);
  });

  it("shows the history when there are two answers, as a table too", () => {
    show(resultRecord());
    expect(the("chart").hidden).toBe(true);
    show(resultRecord(), resultRecord({ id: "b", batch: "b" }));
    expect(the("chart").hidden).toBe(false);
    expect(the("chartTable").querySelectorAll("tbody tr").length).toBe(2);
  });

  it("tells screen readers of the end, not of every token", () => {
    show(runningRecord());
    const live = document.querySelector('[aria-live="polite"]');
    view.receive({ type: "changed", record: runningRecord({ text: "Pa" }), now });
    expect(live?.textContent).toBe("");
    view.receive({ type: "changed", record: resultRecord(), now });
    expect(live?.textContent).toBe("Answered: What is the capital of France?. 32 tokens in 840 ms");
  });
});
