/** What the extension's host and the results webview say to each other, and what they show. */

import type { ChatRequest, ChatResult } from "../server/api";

/** What an answer cost. Servers of others do not tell the wait in their queue. */
export type AnswerFigures = Omit<ChatResult, "queue_seconds"> & {
  readonly queue_seconds?: number;
  /** Which model answered, where that was not known before. */
  readonly model?: string;
};

/** One request and what has come of it so far. Times are milliseconds since the epoch. */
export interface ResultRecord {
  readonly id: string;
  /** Requests that were sent together share this, and are shown on one time line. */
  readonly batch: string;
  /** What the batch was for, for example "One question". */
  readonly title: string;
  /** What tells it from the others of its batch, where all have the same prompt. */
  readonly variant?: string;
  readonly request: ChatRequest;
  readonly address: string;
  readonly model: string;
  readonly device: string;
  readonly sentAt: number;
  readonly firstTextAt?: number;
  readonly endedAt?: number;
  readonly status: "running" | "done" | "failed" | "cancelled";
  /** The answer as far as it has arrived. */
  readonly text: string;
  readonly result?: AnswerFigures;
  /** What went wrong and what to do, when `status` is "failed". */
  readonly error?: string;
}

/** The server's state in the words that the webview shows. */
export interface ServerSummary {
  readonly state: "stopped" | "starting" | "loading" | "ready" | "stopping" | "failed";
  readonly text: string;
}

export const languages = ["curl", "python", "javascript"] as const;

export type Language = (typeof languages)[number];

/** What can be copied of a record: its answer, or its request as code. */
export type Copyable = Language | "answer";

/** Host to every page of records. `now` is the host's clock, which may differ from the page's. */
export type RecordNews =
  | { readonly type: "all"; readonly records: readonly ResultRecord[]; readonly now: number }
  | { readonly type: "changed"; readonly record: ResultRecord; readonly now: number }
  | { readonly type: "server"; readonly server: ServerSummary }
  | { readonly type: "copied"; readonly id: string; readonly what: Copyable };

/** Host to webview. */
export type ToWebview =
  | RecordNews
  /** Fill the prompt box and put the cursor there. */
  | { readonly type: "compose"; readonly request: ChatRequest }
  /** Bring a record into sight. */
  | { readonly type: "reveal"; readonly id: string };

/** Every page of records to the host: what is done for all of them in the same way. */
export type CommonWish =
  | { readonly type: "loaded" }
  | { readonly type: "startServer" }
  | { readonly type: "cancel"; readonly id: string }
  /** Remove what has ended. */
  | { readonly type: "clear" }
  /** Bring back what the last `clear` removed. */
  | { readonly type: "undoClear" }
  | { readonly type: "export" };

/** What can be done with records, and is done in each page's own way. */
export type RecordWish =
  /** Send these requests again, together. */
  | { readonly type: "repeat"; readonly ids: readonly string[] }
  | { readonly type: "copy"; readonly id: string; readonly what: Copyable };

/** Webview to host. */
export type ToHost =
  | CommonWish
  | RecordWish
  | { readonly type: "ask"; readonly request: ChatRequest }
  /** Run the lesson's test that sends several questions at once. */
  | { readonly type: "askSeveral" };
