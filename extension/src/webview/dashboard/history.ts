/** The points that the charts show, and their columns. */

import type { Point } from "../../dashboard/protocol";

/** How far back the charts look. Milliseconds. */
export const timeSpan = 120_000;

/** Where nobody has looked for so long, a line is broken. Milliseconds. */
const gap = 5_000;

/** What the charts draw: everything of a point but its time. */
export type Quantity = Exclude<keyof Point, "at">;

/** The points with one more; what is older than the charts look back goes. */
export function withPoint(points: readonly Point[], point: Point): readonly Point[] {
  return [...points, point].filter(({ at }) => at > point.at - timeSpan - gap && at <= point.at);
}

/** The times in seconds, and a column for each quantity; null is a gap. */
export function columnsOf(
  points: readonly Point[],
  quantities: readonly Quantity[],
): [number[], ...(number | null)[][]] {
  const rows = points.flatMap((point, index) => {
    const before = points[index - 1];
    const row = [point.at, ...quantities.map((quantity) => point[quantity] ?? null)] as const;
    if (!before || point.at - before.at <= gap) return [row];
    return [[before.at + 1, ...quantities.map(() => null)] as const, row];
  });
  const times = rows.map(([at]) => at / 1000);
  return [times, ...quantities.map((_, index) => rows.map((row) => row[index + 1] ?? null))];
}

/** The highest value that the charts show; undefined where there is none. */
export function highest(points: readonly Point[], quantity: Quantity): number | undefined {
  const values = points.map((point) => point[quantity]).filter((value) => value !== undefined);
  return values.length === 0 ? undefined : Math.max(...values);
}
