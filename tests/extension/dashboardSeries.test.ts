import { describe, expect, it } from "vitest";
import type { Point } from "../../extension/src/dashboard/protocol";
import { Series } from "../../extension/src/dashboard/series";
import { columnsOf, highest, withPoint } from "../../extension/src/webview/dashboard/history";
import { metrics } from "./metricsText";

const start = 1_000_000;

/** As many values in the second range of a histogram as there are. */
function values(count: number, sum: number) {
  const buckets = [
    { bound: 0.1, count: 0 },
    { bound: 0.2, count },
    { bound: Infinity, count },
  ];
  return { buckets, sum, count };
}

describe("the series", () => {
  it("begins with what needs no past", () => {
    const point = new Series().add(metrics({ running: 3, waiting: 1, kvCacheUse: 0.25 }), start);
    expect(point).toEqual({
      at: start,
      answerRate: undefined,
      promptRate: undefined,
      ttft: undefined,
      ttft95: undefined,
      itl: undefined,
      itl95: undefined,
      running: 3,
      waiting: 1,
      cache: 0.25,
    });
  });

  it("takes rates over the last three seconds", () => {
    const series = new Series();
    const at = (second: number, generationTokens: number, promptTokens = 9): Point =>
      series.add(metrics({ generationTokens, promptTokens }), start + second * 1000);
    at(0, 100);
    expect(at(1, 140, 29)).toMatchObject({ answerRate: 40, promptRate: 20 });
    at(2, 160, 29);
    at(3, 160, 29);
    // What came in the first second is no longer counted.
    expect(at(4, 190, 29)).toMatchObject({ answerRate: 50 / 3, promptRate: 0 });
  });

  it("takes latencies of what came in the last ten seconds, and has none when nothing came", () => {
    const series = new Series();
    const look = (second: number, count: number, sum: number): Point =>
      series.add(
        metrics({ timeToFirstToken: values(count, sum), interTokenLatency: values(count, sum) }),
        start + second * 1000,
      );
    look(0, 4, 0.6);
    const point = look(1, 6, 0.9);
    expect(point.ttft).toBeCloseTo(0.15);
    expect(point.itl95).toBeCloseTo(0.195);
    for (let second = 2; second < 11; second += 1) look(second, 6, 0.9);
    expect(look(11, 6, 0.9)).toMatchObject({ ttft: undefined, itl95: undefined });
  });

  it.each([
    ["the server has started anew", 1, { startedAt: 7 }],
    ["nobody has looked for long", 30, {}],
    ["a counter has fallen", 1, { generationTokens: 0 }],
  ])("begins anew when %s", (_name, seconds, different) => {
    const series = new Series();
    series.add(metrics({ generationTokens: 50 }), start);
    const after = metrics({ generationTokens: 90, ...different });
    const point = series.add(after, start + seconds * 1000);
    expect(point).toMatchObject({ answerRate: undefined, ttft: undefined });
  });
});

describe("the history", () => {
  const point = (at: number, running: number): Point => ({
    at,
    answerRate: undefined,
    promptRate: undefined,
    ttft: undefined,
    ttft95: undefined,
    itl: undefined,
    itl95: undefined,
    running,
    waiting: 0,
    cache: 0,
  });

  it("keeps two minutes", () => {
    let points: readonly Point[] = [];
    for (let second = 0; second < 300; second += 1) {
      points = withPoint(points, point(start + second * 1000, second));
    }
    expect(points.at(-1)?.running).toBe(299);
    expect(points[0]?.running).toBeLessThan(299 - 120);
    expect(points.length).toBeLessThan(130);
  });

  it("breaks the lines where nobody has looked", () => {
    const points = [point(start, 1), point(start + 1000, 2), point(start + 60_000, 3)];
    const [times, running, rates] = columnsOf(points, ["running", "answerRate"]);
    expect(times).toEqual([1000, 1001, 1001.001, 1060]);
    expect(running).toEqual([1, 2, null, 3]);
    expect(rates).toEqual([null, null, null, null]);
    expect(highest(points, "running")).toBe(3);
    expect(highest(points, "ttft")).toBeUndefined();
  });
});
