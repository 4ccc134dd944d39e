import { describe, expect, test } from "vitest";
import { bytes, memoryUse, percent, span } from "../../extension/src/status/words";

describe("amounts", () => {
  test.each([
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1000, "1.0 kB"],
    [9_960, "10 kB"],
    [999_600, "1.0 MB"],
    [41_300_000, "41 MB"],
    [1_234_000_000, "1.2 GB"],
    [5e15, "5000 TB"],
  ])("%d bytes are %s", (amount, text) => {
    expect(bytes(amount)).toBe(text);
  });

  test.each([
    [0.4, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [7500, "2 h 5 min"],
    [3 * 86_400 + 4 * 3600, "3 d 4 h"],
  ])("%d seconds are %s", (seconds, text) => {
    expect(span(seconds)).toBe(text);
  });

  test("a share that is used at all is not 0 %", () => {
    expect([0, 0.001, 0.126, 1].map(percent)).toEqual(["0 %", "under 1 %", "13 %", "100 %"]);
  });

  test("memory is weights and KV cache", () => {
    expect(memoryUse({ weights_bytes: 41e6, kv_cache_bytes: 1.2e9 })).toBe(
      "41 MB weights, 1.2 GB KV cache",
    );
  });
});
