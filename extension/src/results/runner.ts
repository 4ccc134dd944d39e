import { randomUUID } from "node:crypto";
import { l10n } from "vscode";
import { ServerClient } from "../server/client";
import { ServerRefusedError, UnreachableError } from "../server/http";
import type { ChatRequest } from "../server/api";
import type { History } from "./history";
import type { AnswerFigures, ResultRecord } from "./protocol";

/** Where the requests go, and what answers there. */
export interface Target {
  readonly address: string;
  readonly model: string;
  readonly device: string;
}

/** One of the requests that are sent together. */
export interface Question {
  readonly request: ChatRequest;
  readonly target: Target;
  /** What tells it from the others, where all have the same prompt. */
  readonly variant?: string;
}

/** What answers a request: a route of our server or of another one. */
export interface Chat {
  /** Calls `onText` with each piece of the answer; the pieces joined are its `response`. */
  chat(
    request: ChatRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<AnswerFigures>;
}

/** Text arrives token by token, but nobody reads faster than this. Milliseconds. */
const updateInterval = 50;

/** Sends requests, several at once if need be, and keeps their records up to date. */
export class Runner {
  readonly #history: Pick<History, "add" | "change">;
  readonly #clientAt: (target: Target) => Chat;
  readonly #explain: (error: unknown, target: Target) => string;
  readonly #running = new Map<string, AbortController>();

  constructor(
    history: Pick<History, "add" | "change">,
    clientAt: (target: Target) => Chat = ({ address }) => new ServerClient(address),
    explain: (error: unknown, target: Target) => string = failureSentence,
  ) {
    this.#history = history;
    this.#clientAt = clientAt;
    this.#explain = explain;
  }

  /** Send the requests to one server, as `ask` does. */
  async run(
    title: string,
    requests: readonly ChatRequest[],
    target: Target,
  ): Promise<readonly ResultRecord[]> {
    return this.ask(
      title,
      requests.map((request) => ({ request, target })),
    );
  }

  /**
   * Send the requests at the same time and wait for all of them.
   *
   * Never throws: what went wrong with a request stands in its record.
   */
  async ask(title: string, questions: readonly Question[]): Promise<readonly ResultRecord[]> {
    const batch = randomUUID();
    return Promise.all(
      questions.map(({ target, ...question }) =>
        this.#runOne(target, {
          id: randomUUID(),
          batch,
          title,
          ...question,
          address: target.address,
          model: target.model,
          device: target.device,
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

  async #runOne(target: Target, started: ResultRecord): Promise<ResultRecord> {
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
      const client = this.#clientAt(target);
      const result = await client.chat(started.request, onText, controller.signal);
      const model = result.model ?? record.model;
      record = { ...record, status: "done", text: result.response, model, result };
    } catch (error) {
      record = controller.signal.aborted
        ? { ...record, status: "cancelled" }
        : { ...record, status: "failed", error: this.#explain(error, target) };
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
    return `${error.message} ${l10n.t("Start the server and repeat the request.")}`;
  }
  if (error instanceof ServerRefusedError) {
    if (error.status !== 401) return error.message;
    const fix = l10n.t('Use the command "Tenstorrent: Enter the Server\'s Key".');
    return `${error.message} ${fix}`;
  }
  if (error instanceof SyntaxError) {
    return l10n.t(
      "What the server sent is not an answer to this request. Is it the right program?",
    );
  }
  return l10n.t("The request failed unexpectedly: {0}", String(error));
}
