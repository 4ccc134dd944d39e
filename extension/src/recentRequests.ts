import type * as vscode from "vscode";
import type { Action } from "./problem";
import type { Records } from "./results/history";
import type { ResultRecord } from "./results/protocol";

/** A request as the view lists it, wherever it was asked. */
export interface RecentRequest {
  readonly id: string;
  readonly prompt: string;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  readonly status: ResultRecord["status"];
  /** What the answer cost; undefined while there is none. */
  readonly cost?: Cost;
  /** What went wrong, when `status` is "failed". */
  readonly error?: string;
  /** Shows the answer where it was asked. */
  readonly opens: Action;
}

export interface Cost {
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

/** Where requests are asked. */
export interface RequestSource {
  readonly requests: readonly RecentRequest[];
  readonly onDidChange: vscode.Event<unknown>;
}

/** The requests of a page of ours. */
export function requestsOf(
  records: Records,
  opens: (record: ResultRecord) => Action,
): readonly RecentRequest[] {
  return records.map((record) => {
    const { id, request, sentAt, status, result, error } = record;
    return {
      id,
      prompt: request.prompt,
      sentAt,
      status,
      ...(result && {
        cost: { seconds: result.time_seconds, tokensPerSecond: result.tokens_per_second },
      }),
      ...(error !== undefined && { error }),
      opens: opens(record),
    };
  });
}

/** All requests in the order in which they were asked. */
export function inOrder(sources: readonly RequestSource[]): readonly RecentRequest[] {
  return sources.flatMap(({ requests }) => requests).toSorted((a, b) => a.sentAt - b.sentAt);
}
