// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { LoadTest, Point, ToHost } from "../../extension/src/dashboard/protocol";
import { testIds } from "../../extension/src/webview/dashboard/testids";
import { type DashboardState, DashboardView } from "../../extension/src/webview/dashboard/view";

// The charts draw on a canvas, which only a browser has.
vi.mock("uplot", () => ({ default: vi.fn() }));

const point: Point = {
  at: 1_000_000,
  answerRate: 312.4,
  promptRate: 40,
  ttft: 0.084,
  ttft95: undefined,
  itl: 0.0022,
  itl95: 0.012,
  running: 3,
  waiting: 1,
  cache: 0.25,
};

const test: LoadTest = {
  status: "running",
  model: "demo",
  device: "CPU",
  startedAt: 1_000_000,
  cases: [
    {
      users: 1,
      tokensPerSecond: 100,
      perUser: 110,
      ttft: 0.05,
      itl: 0.009,
      answers: 4,
      failures: 0,
    },
  ],
};

let posted: ToHost[];
let state: DashboardState | undefined;
let view: DashboardView;

function open(): void {
  document.body.replaceChildren();
  posted = [];
  view = new DashboardView(document.body, {
    postMessage: (message) => void posted.push(message),
    getState: () => state,
    setState: (newer) => void (state = newer),
  });
}

function the(name: keyof typeof testIds): HTMLElement {
  const found = document.querySelector<HTMLElement>(`[data-testid="${testIds[name]}"]`);
  if (!found) throw new Error(`nothing for ${name}`);
  return found;
}

function tellServer(state: "stopped" | "loading" | "ready"): void {
  view.receive({ type: "server", server: { state, text: state } });
}

function cells(name: keyof typeof testIds): (string | null)[][] {
  return [...the(name).querySelectorAll("tbody tr")].map((row) =>
    [...row.querySelectorAll("th, td")].map((cell) => cell.textContent),
  );
}

beforeEach(() => {
  state = undefined;
  open();
});

describe("the dashboard", () => {
  it("says that it listens and is seen", () => {
    expect(posted).toEqual([{ type: "loaded" }, { type: "seen", isSeen: true }]);
  });

  it("offers to start a server that does not run, and waits for one that loads", () => {
    tellServer("stopped");
    expect(the("empty").hidden).toBe(false);
    the("start").click();
    expect(posted.at(-1)).toEqual({ type: "startServer" });
    tellServer("loading");
    expect(the("empty").textContent).toContain("as soon as its model is loaded");
    expect(the("start").hidden).toBe(true);
  });

  it("shows the newest figures in the legends and in the table", () => {
    tellServer("ready");
    view.receive({ type: "point", point });
    expect(the("empty").hidden).toBe(true);
    const legends = [...document.querySelectorAll(".live-chart .legend")].map((l) => l.textContent);
    expect(legends[0]).toBe("Answers 312Prompts 40.0");
    expect(legends[2]).toBe("Average 2.2 ms95 % under 12 ms");
    expect(legends[4]).toBe("Used 25 %");
    expect(cells("figures")[0]).toEqual(["Tokens/s of answers", "312", "312"]);
    expect(cells("figures")[3]).toEqual(["TTFT, 95 % under", "–", "–"]);
  });

  it("shows no old figure as the current one when the server has stopped", () => {
    tellServer("ready");
    view.receive({ type: "point", point });
    tellServer("stopped");
    expect(cells("figures")[0]).toEqual(["Tokens/s of answers", "–", "312"]);
  });

  it("keeps its points while it is hidden", () => {
    view.receive({ type: "point", point });
    open();
    expect(the("charts").hidden).toBe(false);
    expect(cells("figures")[0]?.[2]).toBe("312");
  });

  it("says why the figures cannot be read, until they can", () => {
    tellServer("ready");
    view.receive({ type: "trouble", sentence: "The server wants its key." });
    expect(the("trouble").textContent).toBe("The server wants its key.");
    expect(the("trouble").hidden).toBe(false);
    view.receive({ type: "trouble", sentence: undefined });
    expect(the("trouble").hidden).toBe(true);
  });
});

describe("the load test", () => {
  it("runs, can be cancelled, and says what batching gave", () => {
    view.receive({ type: "loadTest", test: undefined });
    the("runLoadTest").focus();
    the("runLoadTest").click();
    expect(posted.at(-1)).toEqual({ type: "runLoadTest" });
    view.receive({ type: "loadTest", test });
    expect(the("runLoadTest").hidden).toBe(true);
    expect(document.activeElement).toBe(the("cancelLoadTest"));
    expect(the("loadProgress").getAttribute("value")).toBe("1");
    expect(the("loadTest").textContent).toContain("Asking with 2 users at once (2 of 5).");
    the("cancelLoadTest").click();
    expect(posted.at(-1)).toEqual({ type: "cancelLoadTest" });

    const [alone] = test.cases;
    if (!alone) throw new Error("no case");
    const two = { ...alone, users: 2, tokensPerSecond: 185, perUser: undefined };
    view.receive({ type: "loadTest", test: { ...test, status: "done", cases: [alone, two] } });
    expect(the("loadSentence").textContent).toBe(
      "2 users together get 1.9 times the tokens/s of one.",
    );
    expect(cells("loadTable")).toEqual([
      ["1", "100", "110", "50 ms", "9.0 ms"],
      ["2", "185", "–", "50 ms", "9.0 ms"],
    ]);
    expect(document.activeElement).toBe(the("runLoadTest"));
    expect(document.querySelector("[aria-live]")?.textContent).toContain("1.9 times");
  });

  it("says what went wrong", () => {
    const error = "The load test could not run: nobody answers. Start the server.";
    view.receive({ type: "loadTest", test: { ...test, cases: [], status: "failed", error } });
    expect(the("loadError").textContent).toBe(error);
    expect(the("loadError").hidden).toBe(false);
  });
});
