import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { bench, benchArguments, readCase } from "../../extension/src/dashboard/bench";
import { isToHost, restoredTest } from "../../extension/src/dashboard/guard";
import { LoadTester } from "../../extension/src/dashboard/loadTest";
import type { Bench, TestStore } from "../../extension/src/dashboard/loadTest";
import type { LoadCase, LoadTest } from "../../extension/src/dashboard/protocol";
import {
  failureNote,
  loadSentence,
  statusSentence,
} from "../../extension/src/webview/dashboard/sentence";

vi.mock("vscode", () => import("./vscode"));

const target = { address: "http://127.0.0.1:8080", model: "demo", device: "CPU" };

function measured(users: number, tokensPerSecond: number, failures = 0): LoadCase {
  const each = { perUser: tokensPerSecond / users, ttft: 0.1, itl: 0.01 };
  return { users, tokensPerSecond, ...each, answers: 4 * users, failures };
}

/** What `ttdirect bench --json` prints, as far as it is read. */
function printed(different: object = {}): string {
  const figures = {
    clients: 4,
    requests: 16,
    failures: {},
    tokens_per_second: 979.001,
    tokens_per_second_per_user: 314.79,
    ttft_ms: { p50: 24.087, p90: 39.5 },
    itl_ms: { p50: 2.182, p90: 7.8 },
    ...different,
  };
  return JSON.stringify({ tool: "ttdirect bench 0.1.0", interrupted: false, cases: [figures] });
}

class Store implements TestStore {
  kept: LoadTest | undefined;
  get = (): unknown => this.kept;
  update = (_key: string, value: LoadTest | undefined): Promise<void> => {
    this.kept = value;
    return Promise.resolve();
  };
}

describe("ttdirect bench", () => {
  let folder: string | undefined;

  /** A program in the interpreter's place. */
  function program(script: string): string {
    folder = mkdtempSync(join(tmpdir(), "bench-"));
    const file = join(folder, "python");
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  }

  afterEach(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });

  const run = (script: string, signal = new AbortController().signal): Promise<LoadCase> =>
    bench({ python: program(script), address: target.address, users: 4 }, signal);

  it("is told whom to ask and with how many users", () => {
    const words = benchArguments({ python: "python3", address: target.address, users: 8 });
    expect(words.slice(0, 3)).toEqual(["bench", "--url", target.address]);
    expect(words.join(" ")).toContain("--concurrency 8");
    expect(words).toContain("--json");
  });

  it("gives figures, also when some requests failed", async () => {
    const figures = { users: 4, tokensPerSecond: 979.001, answers: 16, perUser: 314.79 };
    const times = { ttft: 0.024087, itl: 0.002182 };
    await expect(run(`echo '${printed()}'`)).resolves.toEqual({
      ...figures,
      ...times,
      failures: 0,
    });
    const failing = printed({ failures: { "HTTP 503": 2, timeout: 1 } });
    await expect(run(`echo '${failing}'; exit 1`)).resolves.toMatchObject({ failures: 3 });
  });

  it("says what went wrong, and what to do", async () => {
    const script = "echo 'error: nobody answers' >&2; echo 'fix: start the server' >&2; exit 1";
    await expect(run(script)).rejects.toThrow(
      "The load test could not run: nobody answers. Start the server.",
    );
    await expect(run("echo 'No module named ttdirect' >&2; exit 1")).rejects.toThrow(
      "The load test could not run: No module named ttdirect.",
    );
    await expect(run(`echo '${printed({ requests: 0 })}'; exit 1`)).rejects.toThrow("terminal");
    expect(() => readCase("not JSON")).toThrow("printed no figures");
  });

  it("is ended by its signal", async () => {
    const controller = new AbortController();
    const running = run("exec sleep 60", controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("the load tester", () => {
  it("tries one number of users after the other, and keeps each figure", async () => {
    const store = new Store();
    const asked: number[] = [];
    const tester = new LoadTester(store, ({ users }) => {
      asked.push(users);
      return Promise.resolve(measured(users, 100 * users));
    });
    const counts: number[] = [];
    tester.onDidChange((test) => counts.push(test?.cases.length ?? 0));
    await tester.run("python3", target);
    expect(asked).toEqual([1, 2, 4, 8, 16]);
    expect(counts).toEqual([0, 1, 2, 3, 4, 5, 5]);
    expect(store.kept).toMatchObject({ status: "done", model: "demo", device: "CPU" });
    expect(new LoadTester(store, () => Promise.reject(new Error())).test).toEqual(tester.test);
  });

  it("keeps what was measured when it is cancelled, and is not started twice", async () => {
    const store = new Store();
    const slow: Bench = ({ users }, signal) =>
      users === 1
        ? Promise.resolve(measured(1, 100))
        : new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
          });
    const tester = new LoadTester(store, slow);
    const first = tester.run("python3", target);
    await tester.run("python3", target);
    await vi.waitFor(() => expect(tester.test?.cases.length).toBe(1));
    tester.cancel();
    await first;
    expect(tester.test).toMatchObject({ status: "cancelled", cases: [measured(1, 100)] });
  });

  it("tells what went wrong", async () => {
    const tester = new LoadTester(new Store(), () => Promise.reject(new Error("No server.")));
    await tester.run("python3", target);
    expect(tester.test).toMatchObject({ status: "failed", error: "No server." });
  });

  it("takes up only what is whole, and what ran was cancelled by the window's end", () => {
    const test: LoadTest = { status: "running", ...target, startedAt: 1, cases: [measured(1, 9)] };
    expect(restoredTest(test)).toMatchObject({ status: "cancelled", cases: [{ users: 1 }] });
    expect(restoredTest({ ...test, cases: [{ users: "many" }] })).toBeUndefined();
    expect(restoredTest(undefined)).toBeUndefined();
  });
});

describe("what a load test says", () => {
  it("is what batching gave, at its best", () => {
    const cases = [measured(1, 100), measured(2, 190), measured(4, 520), measured(8, 500)];
    expect(loadSentence({ cases })).toBe("4 users together get 5.2 times the tokens/s of one.");
    expect(loadSentence({ cases: cases.slice(0, 1) })).toBe("One user gets 100 tokens/s.");
    expect(loadSentence({ cases: [] })).toBeUndefined();
    expect(loadSentence({ cases: [measured(1, 100), measured(2, 101)] })).toContain("no more");
  });

  it("is what it does now, and how it ended", () => {
    const test: LoadTest = { status: "running", ...target, startedAt: 1, cases: [measured(1, 9)] };
    expect(statusSentence(test)).toBe("Asking with 2 users at once (2 of 5).");
    expect(statusSentence({ ...test, status: "cancelled" })).toBe("Cancelled before its end.");
    expect(failureNote(test)).toBeUndefined();
    expect(failureNote({ cases: [measured(2, 9, 1)] })).toContain("1 request got no answer");
  });
});

describe("the dashboard's host", () => {
  it("listens to what its page may say", () => {
    for (const type of ["loaded", "startServer", "runLoadTest", "cancelLoadTest"]) {
      expect(isToHost({ type })).toBe(true);
    }
    expect(isToHost({ type: "seen", isSeen: true })).toBe(true);
    for (const wrong of [{ type: "seen" }, { type: "rm" }, {}, undefined, "loaded"]) {
      expect(isToHost(wrong)).toBe(false);
    }
  });
});
