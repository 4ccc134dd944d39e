import { rm } from "node:fs/promises";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type * as vscode from "vscode";

type Api = typeof vscode;

const patienceMs = 60_000;

/** The extension host of one window, reached through the companion extension. */
export class ExtensionHost {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Wait for a new host from here on: the one of a window that has closed lives on for a while. */
  async renew(): Promise<void> {
    await rm(this.#socket, { force: true });
  }

  /**
   * Run a function inside the extension host and return what it returns.
   *
   * Only its text travels: it sees the editor's API, its argument and Node's globals, nothing else
   * of the test. Argument and result travel as JSON. Throws what the function throws.
   */
  evaluate<Result>(run: (vscode: Api) => Result | PromiseLike<Result>): Promise<Result>;
  evaluate<Result, Argument>(
    run: (vscode: Api, argument: Argument) => Result | PromiseLike<Result>,
    argument: Argument,
  ): Promise<Result>;
  async evaluate(run: (...parameters: never[]) => unknown, argument?: unknown): Promise<unknown> {
    const body = JSON.stringify({ source: run.toString(), argument });
    const answer = JSON.parse(await this.#post(body)) as { value?: unknown; error?: string };
    if (answer.error != null) throw new Error(`in the extension host: ${answer.error}`);
    return answer.value;
  }

  /** The host listens a few seconds after its window has opened, so a refusal is tried again. */
  async #post(body: string): Promise<string> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      try {
        return await post(this.#socket, body);
      } catch (error) {
        const notYet = ["ENOENT", "ECONNREFUSED"].includes(
          (error as NodeJS.ErrnoException).code ?? "",
        );
        if (!notYet || Date.now() > deadline) throw error;
        await delay(100);
      }
    }
  }
}

function post(socketPath: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method: "POST", timeout: patienceMs }, (response) => {
      text(response).then(resolve, reject);
    });
    sent.on("timeout", () => sent.destroy(new Error("The extension host did not answer.")));
    sent.on("error", reject).end(body);
  });
}
