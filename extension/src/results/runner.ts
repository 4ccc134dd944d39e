import { randomUUID } from "node:crypto";
import { ServerClient, ServerRefusedError, UnreachableError } from "../server/client";
import type { ChatRequest } from "../server/api";
import type { History } from "./history";
import type { ResultRecord } from "./protocol";

/** Where the requests go, and what answers there. */
export interface Target {
  readonly address: string;
  readonly model: string;
  readonly device: string;
}

/** The one route of the server that is used here; tests bring their own. */
export type Chat = Pick<ServerClient, "chat">;

/** Text arrives token by token, but nobody reads faster than this. Milliseconds. */
const updateInterval = 50;

/** Sends requests, several at once if need be, and keeps their records up to date. */
export class Runner {
  readonly #history: Pick<History, "add" | "change">;
  readonly #clientAt: (address: string) => Chat;
  readonly #running = new Map<string, AbortController>();

  constructor(
    history: Pick<History, "add" | "change">,
    clientAt: (address: string) => Chat = (address) => new ServerClient(address),
  ) {
    this.#history = history;
    this.#clientAt = clientAt;
  }

  /**
   * Send the requests at the same time and wait for all of them.
   *
   * Never throws: what went wrong with a request stands in its record.
   */
  async run(
    title: string,
    requests: readonly ChatRequest[],
    target: Target,
  ): Promise<readonly ResultRecord[]> {
    const client = this.#clientAt(target.address);
    const batch = randomUUID();
    return Promise.all(
      requests.map((request) =>
        this.#runOne(client, {
          id: randomUUID(),
          batch,
          title,
          request,
          ...target,
          sentAt: Date.now(),
          status: "running",
          text: "",
        }),
      ),
    );
  }

  /** Give up one request; the server frees its slot when the connection closes. */
  cancel(id: string): void {
    this.#running.get(id)?.abort();
  }

  cancelAll(): void {
    for (const controller of this.#running.values()) controller.abort();
  }

  async #runOne(client: Chat, started: ResultRecord): Promise<ResultRecord> {
    const controller = new AbortController();
    this.#running.set(started.id, controller);
    this.#history.add(started);

    let record = started;
    let timer: NodeJS.Timeout | undefined;
    const show = (): void => {
      timer = undefined;
      this.#history.change(record);
    };
    const onText = (text: string): void => {
      const isFirst = record.firstTextAt === undefined;
      record = {
        ...record,
        text: record.text + text,
        firstTextAt: record.firstTextAt ?? Date.now(),
      };
      if (isFirst) show();
      else timer ??= setTimeout(show, updateInterval);
    };

    try {
      const result = await client.chat(started.request, onText, controller.signal);
      record = { ...record, status: "done", text: result.response, result };
    } catch (error) {
      record = controller.signal.aborted
        ? { ...record, status: "cancelled" }
        : { ...record, status: "failed", error: failureSentence(error) };
    }
    clearTimeout(timer);
    this.#running.delete(started.id);
    record = { ...record, endedAt: Date.now() };
    this.#history.change(record);
    return record;
  }
}

/** What went wrong with a request, and what to do about it. */
export function failureSentence(error: unknown): string {
  if (error instanceof UnreachableError) {
    return `${error.message} Start the server and repeat the request.`;
  }
  if (error instanceof ServerRefusedError) {
    if (error.status !== 401) return error.message;
    return (
      `${error.message} Start the editor with the server's key in the environment variable ` +
      "TTDIRECT_API_KEY."
    );
  }
  if (error instanceof SyntaxError) {
    return "What the server sent is not an answer to this request. Is it the right program?";
  }
  return `The request failed unexpectedly: ${String(error)}`;
}
