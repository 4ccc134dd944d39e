import { describe, expect, it } from "vitest";
import { columnsOf, pointsOf } from "../../extension/src/webview/chartData";
import { duration, rate } from "../../extension/src/figures";
import { readEntries } from "../../extension/src/webview/request";
import { batchSentence, spansOf, ticksUpTo } from "../../extension/src/webview/timing";
import { chatResult, resultRecord, runningRecord } from "./resultsRecord";

/** An answer of `seconds`, of which each token but the first took 10 ms. */
function answer(id: string, at: number, seconds: number, tokens: number, queue = 0) {
  return resultRecord({
    id,
    batch: "together",
    sentAt: at,
    firstTextAt: at + 100,
    endedAt: at + seconds * 1000,
    result: chatResult({
      tokens_generated: tokens,
      time_seconds: seconds,
      ttft_seconds: 0.1 + queue,
      queue_seconds: queue,
    }),
  });
}

describe("figures", () => {
  it.each([
    [0, "0 ms"],
    [0.0841, "84 ms"],
    [0.9996, "1.00 s"],
    [1.239, "1.24 s"],
    [9.996, "10.0 s"],
    [12.34, "12.3 s"],
    [99.96, "100 s"],
    [124.2, "124 s"],
  ])("write %d s as %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it("write speeds", () => {
    expect([rate(38.14), rate(99.96), rate(1234.5)]).toEqual(["38.1", "100", "1235"]);
  });
});

describe("the time line", () => {
  it("starts with the first request", () => {
    const spans = spansOf([answer("a", 5000, 1, 10), answer("b", 5200, 2, 10, 0.05)], 0);
    expect(
      spans.map(({ sent, started, firstText, ended }) => [sent, started, firstText, ended]),
    ).toEqual([
      [0, 0, 100, 1000],
      [200, 250, 300, 2200],
    ]);
  });

  it("lets what runs grow with the host's clock", () => {
    const running = runningRecord({ sentAt: 5000 });
    expect(spansOf([running], 5700)[0]).toMatchObject({ sent: 0, firstText: 700, ended: 700 });
    expect(spansOf([{ ...running, firstTextAt: 5200 }], 5700)[0]).toMatchObject({ firstText: 200 });
    // A clock that is behind does not turn time around.
    expect(spansOf([running], 4000)[0]).toMatchObject({ firstText: 0, ended: 0 });
  });

  it("has few round ticks", () => {
    const labels = (length: number): string[] => ticksUpTo(length).map(({ label }) => label);
    expect(labels(80)).toEqual(["0", "20 ms", "40 ms", "60 ms", "80 ms"]);
    expect(labels(1530)).toEqual(["0", "0.5 s", "1.0 s", "1.5 s"]);
    expect(labels(23_000)).toEqual(["0", "5 s", "10 s", "15 s", "20 s"]);
    for (let length = 1; length < 1e6; length *= 1.37) {
      expect(ticksUpTo(length).length).toBeGreaterThan(1);
      expect(ticksUpTo(length).length).toBeLessThanOrEqual(6);
    }
  });
});

describe("what the time line says", () => {
  const batch = [answer("a", 0, 1.2, 50), answer("b", 0, 1, 40), answer("c", 0, 0.9, 30)];

  it("compares with requests that ran alone, where there are some", () => {
    // Alone: 0.1 s to the first token, then 10 ms a token; so 3 times 0.1 s and 117 tokens.
    const alone = { ...answer("solo", 10_000, 0.3, 21), batch: "solo" };
    expect(batchSentence(batch, [...batch, alone])).toBe(
      "3 answers in 1.20 s. One after another they would have taken about 1.47 s, " +
        "at the speed of a request by itself.",
    );
  });

  it("compares nothing that several servers answered", () => {
    const elsewhere = { ...answer("d", 0, 1.3, 50), address: "http://127.0.0.1:8000" };
    const alone = { ...answer("solo", 10_000, 0.3, 21), batch: "solo" };
    expect(batchSentence([...batch, elsewhere], [...batch, elsewhere, alone])).toBe(
      "4 answers in 1.30 s.",
    );
  });

  it("does not claim a gain that is none", () => {
    const fast = { ...answer("solo", 10_000, 0.2, 101), batch: "solo" };
    expect(batchSentence(batch, [...batch, fast])).toContain("would have been as fast");
  });

  it("claims no more than the sum where nothing ran alone, or only on another model", () => {
    const sum = "3 answers in 1.20 s. Their times add up to 3.10 s, so they ran at the same time.";
    expect(batchSentence(batch, batch)).toBe(sum);
    const other = { ...answer("solo", 10_000, 0.3, 21), model: "other" };
    expect(batchSentence(batch, [...batch, other])).toBe(sum);
  });

  it("says so when the server answered one after another", () => {
    const queued = [answer("a", 0, 1, 10), answer("b", 0, 2, 10, 1), answer("c", 0, 3, 10, 2)];
    expect(batchSentence(queued, queued)).toBe("3 answers in 3.00 s. They ran one after another.");
  });

  it("counts what runs and what failed", () => {
    const [first = resultRecord(), second = resultRecord()] = batch;
    expect(batchSentence([first, runningRecord({ id: "r" })], [])).toBe(
      "1 of 2 requests still running.",
    );
    expect(batchSentence([first, { ...second, status: "failed" }], [])).toBe(
      "1 of 2 answers in 1.20 s.",
    );
    expect(batchSentence([{ ...first, status: "failed" }], [])).toBe(
      "None of the requests was answered.",
    );
  });
});

describe("the chart's figures", () => {
  it("count the answers, not what failed or said nothing", () => {
    const points = pointsOf([
      resultRecord(),
      runningRecord({ id: "b" }),
      resultRecord({ id: "c", result: chatResult({ tokens_generated: 0 }) }),
      resultRecord({ id: "d" }),
    ]);
    expect(points.map(({ id, number }) => [id, number])).toEqual([
      ["a", 1],
      ["d", 2],
    ]);
    expect(columnsOf(points)).toEqual([
      [1, 2],
      [38.1, 38.1],
      [120, 120],
    ]);
  });
});

describe("the entries of the prompt box", () => {
  const entries = { prompt: "Why?", maxTokens: "128", temperature: "0.5" };

  it("become a request", () => {
    expect(readEntries(entries)).toEqual({
      request: { prompt: "Why?", max_tokens: 128, temperature: 0.5 },
    });
    expect(readEntries({ ...entries, temperature: "0,5" })).toEqual(readEntries(entries));
    expect(readEntries({ prompt: "Why?", maxTokens: "", temperature: " " })).toEqual({
      request: { prompt: "Why?" },
    });
  });

  it.each([
    ["prompt", " \n"],
    ["maxTokens", "0"],
    ["maxTokens", "2049"],
    ["maxTokens", "1.5"],
    ["maxTokens", "many"],
    ["temperature", "-1"],
    ["temperature", "2.1"],
    ["temperature", "."],
    ["temperature", "1e0"],
  ])("complain about %s %j", (name, value) => {
    const reading = readEntries({ ...entries, [name]: value });
    expect("mistakes" in reading && Object.keys(reading.mistakes)).toEqual([name]);
  });
});
