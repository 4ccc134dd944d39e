import * as vscode from "vscode";
import type { Target } from "../results/runner";
import type { BenchChoice } from "./bench";
import { restoredTest } from "./guard";
import { type LoadCase, type LoadTest, userCounts } from "./protocol";

const storageKey = "tenstorrent.loadTest";

/** Where the last test is kept: the part of `vscode.Memento` that this needs. */
export interface TestStore {
  get(key: string): unknown;
  update(key: string, value: LoadTest | undefined): Thenable<void>;
}

export type Bench = (choice: BenchChoice, signal: AbortSignal) => Promise<LoadCase>;

/** Measures the server with one user, then two, and so on; the last test outlives the window. */
export class LoadTester implements vscode.Disposable {
  readonly #store: TestStore;
  readonly #bench: Bench;
  readonly #changed = new vscode.EventEmitter<LoadTest | undefined>();
  #running: AbortController | undefined;
  #test: LoadTest | undefined;

  readonly onDidChange = this.#changed.event;

  constructor(store: TestStore, bench: Bench) {
    this.#store = store;
    this.#bench = bench;
    this.#test = restoredTest(store.get(storageKey));
  }

  get test(): LoadTest | undefined {
    return this.#test;
  }

  /**
   * Run a test to its end; one at a time. Never throws: what went wrong stands in the test.
   *
   * @param python the interpreter that has ttdirect.
   */
  async run(python: string, { address, model, device }: Target): Promise<void> {
    if (this.#running) return;
    const controller = new AbortController();
    this.#running = controller;
    let test: LoadTest = { status: "running", model, device, startedAt: Date.now(), cases: [] };
    this.#keep(test);
    try {
      for (const users of userCounts) {
        const measured = await this.#bench({ python, address, users }, controller.signal);
        test = { ...test, cases: [...test.cases, measured] };
        this.#keep(test);
      }
      test = { ...test, status: "done" };
    } catch (error) {
      test = controller.signal.aborted
        ? { ...test, status: "cancelled" }
        : {
            ...test,
            status: "failed",
            error: error instanceof Error ? error.message : String(error),
          };
    }
    this.#running = undefined;
    this.#keep(test);
  }

  /** Give up; what was measured until now stays. */
  cancel(): void {
    this.#running?.abort();
  }

  dispose(): void {
    this.cancel();
    this.#changed.dispose();
  }

  #keep(test: LoadTest): void {
    this.#test = test;
    void this.#store.update(storageKey, test);
    this.#changed.fire(test);
  }
}
