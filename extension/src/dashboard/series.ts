import { between, mean, quantile } from "../server/histogram";
import type { Metrics } from "../server/metrics";
import type { Point } from "./protocol";

interface Look {
  readonly at: number;
  readonly metrics: Metrics;
}

/** Rates are taken over so long: a slow model makes a token or two in a second. Milliseconds. */
const rateSpan = 3_000;
/** Latencies are taken over so long: a single request is one value only. Milliseconds. */
const latencySpan = 10_000;
/** After such a pause the counters tell nothing about now. Milliseconds. */
const longPause = 5_000;

/** Makes the dashboard's points out of looks at the server's counters. */
export class Series {
  #looks: readonly Look[] = [];

  /**
   * @param metrics as they are now.
   * @param at milliseconds since the epoch.
   */
  add(metrics: Metrics, at: number): Point {
    const last = this.#looks.at(-1);
    const isNew = !last || at - last.at > longPause || hasRestarted(last.metrics, metrics);
    const before = isNew ? [] : this.#looks.filter((look) => at - look.at <= latencySpan);
    this.#looks = [...before, { at, metrics }];

    const rates = before.find((look) => at - look.at <= rateSpan);
    const rate = (count: (metrics: Metrics) => number): number | undefined =>
      rates && at > rates.at
        ? ((count(metrics) - count(rates.metrics)) * 1000) / (at - rates.at)
        : undefined;
    const oldest = before[0]?.metrics ?? metrics;
    const ttft = between(oldest.timeToFirstToken, metrics.timeToFirstToken);
    const itl = between(oldest.interTokenLatency, metrics.interTokenLatency);
    return {
      at,
      answerRate: rate(({ generationTokens }) => generationTokens),
      promptRate: rate(({ promptTokens }) => promptTokens),
      ttft: mean(ttft),
      ttft95: quantile(ttft, 0.95),
      itl: mean(itl),
      itl95: quantile(itl, 0.95),
      running: metrics.running,
      waiting: metrics.waiting,
      cache: metrics.kvCacheUse,
    };
  }

  /** Another server, or none, is looked at from now on. */
  reset(): void {
    this.#looks = [];
  }
}

function hasRestarted(before: Metrics, now: Metrics): boolean {
  return (
    now.startedAt !== before.startedAt ||
    now.generationTokens < before.generationTokens ||
    now.promptTokens < before.promptTokens
  );
}
