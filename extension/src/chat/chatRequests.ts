import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import type { Cost, RecentRequest, RequestSource } from "../recentRequests";
import { failureSentence } from "../results/runner";

/** How many are remembered: the chat itself keeps the answers. */
const most = 20;

const cancelled = { status: "cancelled" } as const;

/** What was asked in this window's chat, for those who list requests. */
export class ChatRequests implements RequestSource, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  #requests: readonly RecentRequest[] = [];

  readonly onDidChange = this.#changed.event;

  get requests(): readonly RecentRequest[] {
    return this.#requests;
  }

  /**
   * List a question while it is answered, and what has come of it.
   *
   * @param work answers it, and tells what that has cost; without a cost nothing was asked.
   * @param signal is aborted when the user gives up.
   */
  async follow<Result>(
    prompt: string,
    work: (spent: (cost: Cost) => void) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    const request: RecentRequest = {
      id: randomUUID(),
      prompt,
      sentAt: Date.now(),
      status: "running",
      opens: { command: "workbench.action.chat.open" },
    };
    this.#show([...this.#requests, request].slice(-most));
    let cost: Cost | undefined;
    try {
      const result = await work((spent) => (cost = spent));
      this.#end(request.id, signal.aborted ? cancelled : cost && { status: "done", cost });
      return result;
    } catch (error) {
      this.#end(
        request.id,
        signal.aborted ? cancelled : { status: "failed", error: failureSentence(error) },
      );
      throw error;
    }
  }

  dispose(): void {
    this.#changed.dispose();
  }

  /** @param how undefined where nothing was asked: then it is no request at all. */
  #end(id: string, how: Partial<RecentRequest> | undefined): void {
    this.#show(
      how
        ? this.#requests.map((request) => (request.id === id ? { ...request, ...how } : request))
        : this.#requests.filter((request) => request.id !== id),
    );
  }

  #show(requests: readonly RecentRequest[]): void {
    this.#requests = requests;
    this.#changed.fire();
  }
}
