/** Histograms as Prometheus counts them, and what can be told from one. */

/** How many values were at most `bound`; the last bound is Infinity. */
export interface Bucket {
  readonly bound: number;
  readonly count: number;
}

/** Values that were counted since the server started, or between two looks at it. */
export interface Histogram {
  /** By ascending bound; each holds what those before it hold. */
  readonly buckets: readonly Bucket[];
  readonly sum: number;
  readonly count: number;
}

export const emptyHistogram: Histogram = { buckets: [], sum: 0, count: 0 };

/** What came in between two looks; all of the newer one when the server has started anew. */
export function between(older: Histogram, newer: Histogram): Histogram {
  if (newer.count < older.count || newer.sum < older.sum) return newer;
  return {
    buckets: newer.buckets.map(({ bound, count }, index) => ({
      bound,
      count: count - (older.buckets[index]?.count ?? 0),
    })),
    sum: newer.sum - older.sum,
    count: newer.count - older.count,
  };
}

/** The average, exactly; undefined where nothing was counted. */
export function mean({ sum, count }: Histogram): number | undefined {
  return count > 0 ? sum / count : undefined;
}

/**
 * The value that a share of all values does not exceed, taken as evenly spread in its range.
 *
 * @param share from 0 to 1: 0.5 is the median.
 * @returns undefined where nothing was counted, or the value lies in the first range: how far below
 *   the first bound, a histogram cannot tell. Beyond the last finite bound it is that bound.
 */
export function quantile({ buckets, count }: Histogram, share: number): number | undefined {
  if (count <= 0) return undefined;
  const rank = share * count;
  const index = buckets.findIndex((bucket) => bucket.count >= rank);
  const [below, here] = [buckets[index - 1], buckets[index]];
  if (!below || !here) return undefined;
  if (here.bound === Infinity) return below.bound;
  const part = (rank - below.count) / (here.count - below.count);
  return below.bound + part * (here.bound - below.bound);
}
