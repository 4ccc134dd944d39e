/** What the extension's host and the dashboard's page say to each other, and what is shown. */

import type { ServerSummary } from "../results/protocol";

/** The server's figures at one moment. Undefined is what cannot be told, and leaves a gap. */
export interface Point {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Tokens per second, over the last few looks. */
  readonly answerRate: number | undefined;
  readonly promptRate: number | undefined;
  /** Seconds, of the requests whose first token came lately: their average, and 95 of 100. */
  readonly ttft: number | undefined;
  readonly ttft95: number | undefined;
  /** Seconds, of the tokens that came lately. */
  readonly itl: number | undefined;
  readonly itl95: number | undefined;
  /** Requests. */
  readonly running: number;
  readonly waiting: number;
  /** From 0 to 1. */
  readonly cache: number;
}

/** How many users are tried at once, one after the other. */
export const userCounts = [1, 2, 4, 8, 16] as const;

/** What so many users at once got. */
export interface LoadCase {
  readonly users: number;
  /** Of all answers together. */
  readonly tokensPerSecond: number;
  /** Of one answer while it is written: the median. Undefined where none had two tokens. */
  readonly perUser: number | undefined;
  /** Seconds: medians. Undefined where nothing was measured. */
  readonly ttft: number | undefined;
  readonly itl: number | undefined;
  /** Answers that came, and requests that failed. */
  readonly answers: number;
  readonly failures: number;
}

/** The last load test, as far as it has come. */
export interface LoadTest {
  readonly status: "running" | "done" | "cancelled" | "failed";
  readonly model: string;
  readonly device: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** By rising number of users. */
  readonly cases: readonly LoadCase[];
  /** What went wrong and what to do, when `status` is "failed". */
  readonly error?: string;
}

/** Host to page. */
export type ToPage =
  | { readonly type: "server"; readonly server: ServerSummary }
  | { readonly type: "point"; readonly point: Point }
  /** The figures cannot be read, and why; undefined when they can again. */
  | { readonly type: "trouble"; readonly sentence: string | undefined }
  | { readonly type: "loadTest"; readonly test: LoadTest | undefined };

/** Page to host. */
export type ToHost =
  | { readonly type: "loaded" }
  /** Whether somebody can see the page: a tab of the browser may be in the background. */
  | { readonly type: "seen"; readonly isSeen: boolean }
  | { readonly type: "startServer" }
  | { readonly type: "runLoadTest" }
  | { readonly type: "cancelLoadTest" };
