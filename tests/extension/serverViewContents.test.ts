import { describe, expect, test } from "vitest";
import { inOrder, requestsOf } from "../../extension/src/recentRequests";
import type { Health } from "../../extension/src/server/client";
import { emptyHistogram } from "../../extension/src/server/histogram";
import { type Metrics, readMetrics } from "../../extension/src/server/metrics";
import type { ServerState } from "../../extension/src/server/state";
import { contents, type Picture } from "../../extension/src/serverView/contents";
import type { Hardware } from "../../extension/src/serverView/hardware";
import type { Row } from "../../extension/src/serverView/row";
import { Speedometer } from "../../extension/src/serverView/speed";
import { resultRecord, runningRecord } from "./resultsRecord";
import { EventEmitter } from "./vscode";

const address = "http://127.0.0.1:8080";
const health: Health = {
  status: "healthy",
  model: "ttdirect-demo",
  model_loaded: true,
  note: "",
  phase: "",
  progress: 1,
  elapsed_seconds: 754,
  device: "CPU, int8",
  memory: { weights_bytes: 5_000_000, kv_cache_bytes: 41_000_000 },
  running: 2,
  queued: 1,
  max_batch_size: 32,
  max_seq_len: 2048,
  version: "0.1.0",
};
const metrics: Metrics = {
  ...readMetrics('ttdirect:state{state="ready"} 1.0\n'),
  generationTokens: 1200,
  kvCacheUse: 0.126,
};
const ready: ServerState = { kind: "ready", address, health };
const failed: ServerState = {
  kind: "failed",
  failure: { code: "x", what: "It broke.", fix: "Mend it." },
};
const nothing: Picture = {
  state: { kind: "stopped" },
  figures: undefined,
  routes: [],
  requests: [],
  hardware: { kind: "none" },
};

const opens = ({ id }: { readonly id: string }) => ({ command: "show", arguments: [id] });
const onDidChange = new EventEmitter<void>().event;

/** A section's rows by their labels. */
function section(picture: Partial<Picture>, label: string): Record<string, string | undefined> {
  const found = contents({ ...nothing, ...picture }).find((row) => row.label === label);
  return Object.fromEntries((found?.children ?? []).map((row) => [row.label, row.description]));
}

function labels(rows: readonly Row[]): readonly string[] {
  return rows.map(({ label }) => label);
}

describe("the view", () => {
  test("is empty when there is nothing to tell, so that the welcome shows", () => {
    expect(contents(nothing)).toEqual([]);
  });

  test("has a section for each thing that there is", () => {
    const routes = [{ method: "GET", path: "/health", summary: "" }];
    const hardware: Picture["hardware"] = { kind: "unreadable", why: "It broke." };
    const requests = requestsOf([resultRecord()], opens);
    const all = { ...nothing, state: ready, routes, requests, hardware };
    expect(labels(contents(all))).toEqual(["Server", "Routes", "Recent Requests", "Hardware"]);
    expect(labels(contents({ ...nothing, requests }))).toEqual(["Server", "Recent Requests"]);
    expect(labels(contents({ ...all, state: failed }))).not.toContain("Routes");
  });

  test("gives every row an id of its own", () => {
    const routes = ["GET", "POST"].map((method) => ({ method, path: "/x", summary: "" }));
    const requests = requestsOf([resultRecord({ id: "a" }), resultRecord({ id: "b" })], opens);
    const figures = { kind: "told", metrics, speed: undefined } as const;
    const rows = contents({ ...nothing, state: ready, figures, routes, requests });
    const all = rows.flatMap((row) => [row.id, ...(row.children ?? []).map(({ id }) => id)]);
    expect(new Set(all).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(14);
  });
});

describe("the server's section", () => {
  test("tells all of a server that answers", () => {
    const speed = { now: 87.4, each: 43.7 };
    const figures = { kind: "told", metrics, speed } as const;
    expect(section({ state: ready, figures }, "Server")).toEqual({
      State: "ready",
      Model: "ttdirect-demo",
      Device: "CPU, int8",
      Uptime: "12 min",
      Requests: "2 running, 1 queued",
      "Tokens/s": "87.4, 43.7 each",
      "KV cache": "13 % in use",
      Memory: "5.0 MB + 41 MB KV cache",
    });
  });

  test.each([
    [undefined, "idle"],
    [{ now: 0, each: undefined }, "idle"],
    [{ now: 0, each: 21.8 }, "idle, last 21.8 each"],
    [{ now: 5, each: undefined }, "5.0"],
  ])("tells a speed of %o as %s", (speed, text) => {
    const figures = { kind: "told", metrics, speed } as const;
    expect(section({ state: ready, figures }, "Server")["Tokens/s"]).toBe(text);
  });

  test("tells phase, seconds and share while the model loads", () => {
    const loading = {
      ...health,
      model: null,
      phase: "loading demo",
      progress: 0.35,
      elapsed_seconds: 2.6,
    };
    expect(section({ state: { kind: "loading", address, health: loading } }, "Server")).toEqual({
      State: "loading demo, 3 s, 35 %",
      Device: "CPU, int8",
    });
  });

  test("tells why it failed, and what to do to whoever points at it", () => {
    const [server] = contents({ ...nothing, state: failed });
    expect(server?.children).toMatchObject([
      { description: "It broke.", tooltip: "It broke.\nMend it.", icon: "error" },
    ]);
  });

  test("tells why there are no figures", () => {
    const figures = { kind: "refused", why: "It wants its key." } as const;
    const rows = section({ state: ready, figures }, "Server");
    expect(rows["Figures"]).toBe("It wants its key.");
    expect(rows["KV cache"]).toBeUndefined();
  });

  test("does without memory where the server does not tell it", () => {
    for (const memory of [null, undefined]) {
      const silent = { ...health, memory } as Health;
      const rows = section({ state: { kind: "ready", address, health: silent } }, "Server");
      expect(Object.keys(rows)).not.toContain("Memory");
    }
  });

  test("puts what is published for the board beside what is measured", () => {
    const measured = { where: "PERF.md", state: "measured in 2025" };
    const wanted = { where: "targets", state: "asked for in 2026" };
    const published = [
      { system: "N150", batch: 1, tokens_per_second: 28.3, source: measured },
      { system: "N150", batch: 32, tokens_per_second: 23.5, source: wanted },
    ];
    const hardware = { boards: [], published };
    const picture: Picture = {
      ...nothing,
      state: ready,
      hardware: { kind: "read", hardware: hardware as unknown as Hardware },
    };
    const row = contents(picture)[0]?.children?.find(({ id }) => id === "server/published");
    expect(row?.description).toBe("28.3 alone, 23.5 each for 32");
    expect(row?.tooltip).toBe(
      "Published for this model on N150, tokens/s of each request:\n" +
        "1 request alone: 28.3 (PERF.md: measured in 2025)\n" +
        "32 requests at the same time: 23.5 (targets: asked for in 2026)",
    );
  });
});

test("routes say what they do and what can be done with them", () => {
  const routes = [
    { method: "POST", path: "/chat", summary: "Ask." },
    { method: "GET", path: "/health", summary: "Ready?" },
    { method: "POST", path: "/mine", summary: "" },
  ];
  const rows = contents({ ...nothing, state: ready, routes })[1]?.children ?? [];
  expect(rows.map(({ label, description, can }) => [label, description, can])).toEqual([
    ["POST /chat", "Ask.", "route send"],
    ["GET /health", "Ready?", "route send browse"],
    ["POST /mine", "", "route"],
  ]);
});

test("the last five requests are shown, newest first, and open where they were asked", () => {
  const records = [
    ...Array.from({ length: 4 }, (_, n) => resultRecord({ id: `old${n}`, sentAt: n })),
    resultRecord({ id: "failed", status: "failed", error: "Too long.", sentAt: 5 }),
    runningRecord({ id: "runs", request: { prompt: "  What is\n a cache?" }, sentAt: 6 }),
  ];
  const chat = { id: "chat", prompt: "Hello", sentAt: 4, status: "done" } as const;
  const sources = [
    { requests: requestsOf(records, opens), onDidChange },
    { requests: [{ ...chat, opens: { command: "open.chat" } }], onDidChange },
  ];
  const [, section] = contents({ ...nothing, requests: inOrder(sources) });
  expect(section?.description).toBe("5 of 7");
  expect(section?.children).toMatchObject([
    { label: "What is a cache?", description: "running", icon: "loading~spin" },
    { description: "failed", tooltip: "Too long.", icon: "error" },
    { label: "Hello", description: "done", action: { command: "open.chat" } },
    { description: expect.stringMatching(/s, [\d.]+ tokens\/s$/) as string, icon: "pass" },
    { action: { command: "show", arguments: ["old2"] } },
  ]);
});

describe("the speedometer", () => {
  const at = (generationTokens: number, sum = 0, count = 0): Metrics => ({
    ...metrics,
    generationTokens,
    interTokenLatency: { ...emptyHistogram, sum, count },
  });

  test("makes speeds of two looks, and remembers that of one answer", () => {
    const speedometer = new Speedometer();
    expect(speedometer.see(at(100), 1000)).toBeUndefined();
    expect(speedometer.see(at(150, 2, 40), 3000)).toEqual({ now: 25, each: 20 });
    expect(speedometer.see(at(150, 2, 40), 5000)).toEqual({ now: 0, each: 20 });
  });

  test("begins anew with another server, and with one that has started again", () => {
    const speedometer = new Speedometer();
    speedometer.see(at(100), 0);
    speedometer.see(at(150, 2, 40), 1000);
    expect(speedometer.see(at(3), 2000)).toBeUndefined();
    expect(speedometer.see(at(4), 3000)).toEqual({ now: 1, each: undefined });
    speedometer.reset();
    expect(speedometer.see(at(500), 4000)).toBeUndefined();
  });
});
