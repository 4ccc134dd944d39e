/** The history's figures, as the chart and its table show them. */

import type { ResultRecord } from "../results/protocol";

/** One answer. `number` counts the answers from the oldest, 1. */
export interface Point {
  readonly id: string;
  readonly number: number;
  readonly prompt: string;
  readonly tokensPerSecond: number;
  readonly ttftSeconds: number;
}

/** The answered requests, oldest first; one without any token has no speed to show. */
export function pointsOf(records: readonly ResultRecord[]): readonly Point[] {
  return records
    .flatMap(({ id, request, result }) =>
      result && result.tokens_generated > 0 ? [{ id, request, result }] : [],
    )
    .map(({ id, request, result }, index) => ({
      id,
      number: index + 1,
      prompt: request.prompt,
      tokensPerSecond: result.tokens_per_second,
      ttftSeconds: result.ttft_seconds,
    }));
}

/** The chart's columns: numbers, tokens per second, TTFT in milliseconds. */
export function columnsOf(points: readonly Point[]): [number[], number[], number[]] {
  return [
    points.map(({ number }) => number),
    points.map(({ tokensPerSecond }) => tokensPerSecond),
    points.map(({ ttftSeconds }) => ttftSeconds * 1000),
  ];
}
