import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { between, emptyHistogram, mean, quantile } from "../../extension/src/server/histogram";
import { fetchMetrics, readMetrics } from "../../extension/src/server/metrics";
import { samplesOf } from "../../extension/src/server/prometheus";
import { metricsText } from "./metricsText";

describe("the text format", () => {
  it("has names, labels with escapes, values and time stamps", () => {
    const text = [
      "# HELP a what it is",
      'a{x="1",y="a \\"b\\" \\\\ c\\nd, e=}"} 2.5',
      "b +Inf 1395066363000",
      "c NaN",
      "",
    ].join("\n");
    expect(samplesOf(text)).toEqual([
      { name: "a", labels: { x: "1", y: 'a "b" \\ c\nd, e=}' }, value: 2.5 },
      { name: "b", labels: {}, value: Infinity },
      { name: "c", labels: {}, value: NaN },
    ]);
  });

  it.each(["<!DOCTYPE html>", "a{x=", "a b", "just words"])("refuses %s", (line) => {
    expect(() => samplesOf(line)).toThrow(SyntaxError);
  });
});

describe("the metrics", () => {
  it("are read from what a server printed", () => {
    expect(readMetrics(metricsText)).toMatchObject({
      state: "ready",
      model: "ttdirect-demo",
      startedAt: 1_795_404_650_050,
      residentBytes: 284_909_568,
      running: 0,
      slots: 32,
      waiting: 0,
      kvCacheUse: 0,
      promptTokens: 9,
      generationTokens: 63,
      prefixQueries: 9,
      prefixHits: 0,
      finished: { stop: 1, length: 0, cancelled: 0 },
      refused: { queue_full: 0, prompt_too_long: 0 },
      requestTime: emptyHistogram,
    });
    const { interTokenLatency, timeToFirstToken } = readMetrics(metricsText);
    expect(mean(interTokenLatency)).toBeCloseTo(0.6092 / 62, 5);
    expect(timeToFirstToken.buckets.map(({ bound }) => bound)).toEqual([
      0.001,
      0.005,
      0.01,
      0.02,
      Infinity,
    ]);
  });

  it("are nought for a server that still loads its model", () => {
    const loading = 'ttdirect:state{state="loading"} 1.0\nttdirect:state{state="ready"} 0.0';
    expect(readMetrics(loading)).toMatchObject({
      state: "loading",
      model: undefined,
      slots: 0,
      generationTokens: 0,
      timeToFirstToken: emptyHistogram,
    });
  });

  it("of another program are refused", () => {
    expect(() => readMetrics("vllm:num_requests_running 1.0")).toThrow("another program");
  });
});

describe("a histogram", () => {
  const histogram = {
    buckets: [
      { bound: 0.1, count: 2 },
      { bound: 0.2, count: 6 },
      { bound: 0.4, count: 10 },
      { bound: Infinity, count: 12 },
    ],
    sum: 3,
    count: 12,
  };

  it("tells quantiles between the bounds of a range", () => {
    expect(quantile(histogram, 0.5)).toBeCloseTo(0.2);
    expect(quantile(histogram, 8 / 12)).toBeCloseTo(0.3);
    expect(quantile(histogram, 1)).toBe(0.4);
  });

  it("cannot tell one in its first range, or of nothing", () => {
    expect(quantile(histogram, 0.1)).toBeUndefined();
    expect(quantile(emptyHistogram, 0.5)).toBeUndefined();
    expect(mean(emptyHistogram)).toBeUndefined();
  });

  it("is what came between two looks, and all after a new start", () => {
    const later = {
      buckets: histogram.buckets.map(({ bound, count }) => ({ bound, count: count + 1 })),
      sum: 3.05,
      count: 13,
    };
    const new_ = between(histogram, later);
    expect(new_.buckets.map(({ count }) => count)).toEqual([1, 1, 1, 1]);
    expect(mean(new_)).toBeCloseTo(0.05);
    expect(between(later, histogram)).toBe(histogram);
    expect(between(emptyHistogram, later)).toEqual(later);
  });
});

describe("fetching the metrics", () => {
  let server: Server | undefined;

  async function serve(answer: RequestListener): Promise<string> {
    const started = createServer(answer);
    server = started;
    await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
  }

  afterEach(async () => {
    vi.unstubAllEnvs();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
  });

  it("asks with the key of the environment", async () => {
    vi.stubEnv("TTDIRECT_API_KEY", "secret");
    const address = await serve((request, response) => {
      const isRight = request.headers.authorization === "Bearer secret";
      response.writeHead(isRight && request.url === "/metrics" ? 200 : 401).end(metricsText);
    });
    await expect(fetchMetrics(address)).resolves.toMatchObject({ model: "ttdirect-demo" });
    vi.stubEnv("TTDIRECT_API_KEY", "wrong");
    await expect(fetchMetrics(address)).rejects.toThrow("Enter the Server's Key");
  });

  it("says that nobody answers", async () => {
    const address = await serve(() => undefined);
    await new Promise((resolve) => server?.close(resolve));
    server = undefined;
    await expect(fetchMetrics(address)).rejects.toThrow(`Nobody answers at ${address}.`);
  });

  it("gives up when it is told to", async () => {
    const controller = new AbortController();
    const address = await serve((request) => {
      controller.abort();
      request.destroy();
    });
    await expect(fetchMetrics(address, controller.signal)).rejects.toThrow("aborted");
  });
});
