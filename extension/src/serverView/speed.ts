import { between, mean } from "../server/histogram";
import type { Metrics } from "../server/metrics";

/** What can be told from two looks at the server's counters. */
export interface Speed {
  /** Tokens per second of all answers together, between the last two looks. */
  readonly now: number;
  /** Tokens per second of one answer while it is written, when there was last one. */
  readonly each: number | undefined;
}

/** Makes speeds out of counters. */
export class Speedometer {
  #before: { readonly at: number; readonly metrics: Metrics } | undefined;
  #each: number | undefined;

  /**
   * @param metrics as they are now.
   * @param at milliseconds, by any clock.
   * @returns undefined at the first look, and at the first after the server has started anew.
   */
  see(metrics: Metrics, at: number): Speed | undefined {
    const before = this.#before;
    this.#before = { at, metrics };
    if (!before || at <= before.at) return undefined;
    const tokens = metrics.generationTokens - before.metrics.generationTokens;
    if (tokens < 0) {
      this.#each = undefined;
      return undefined;
    }
    const latency = mean(between(before.metrics.interTokenLatency, metrics.interTokenLatency));
    if (latency !== undefined && latency > 0) this.#each = 1 / latency;
    return { now: (tokens * 1000) / (at - before.at), each: this.#each };
  }

  /** Another server is looked at from now on. */
  reset(): void {
    this.#before = undefined;
    this.#each = undefined;
  }
}
