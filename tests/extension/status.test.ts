import { describe as group, expect, it } from "vitest";
import { commands } from "../../extension/src/ids";
import type { Health } from "../../extension/src/server/client";
import type { ServerState } from "../../extension/src/server/state";
import { describe } from "../../extension/src/status/description";
import { entriesFor } from "../../extension/src/status/menu";

const address = "http://127.0.0.1:8080";
const health: Health = {
  status: "healthy",
  model: "ttdirect-demo",
  model_loaded: true,
  note: "",
  phase: "loading demo",
  progress: 0.5,
  elapsed_seconds: 2.6,
  device: "CPU",
  running: 0,
  queued: 0,
  max_batch_size: 32,
  max_seq_len: 2048,
  version: "0.1.0",
};
const failure = { code: "x", what: "It broke.", fix: "Mend it." };

const states: readonly ServerState[] = [
  { kind: "stopped" },
  { kind: "starting" },
  { kind: "loading", address, health },
  { kind: "ready", address, health },
  { kind: "stopping", address },
  { kind: "failed", failure },
];

group("the status bar", () => {
  it("tells the phase of loading with its seconds", () => {
    const state: ServerState = { kind: "loading", address, health };
    expect(describe(state).text).toBe("API server: loading demo, 3 s");
  });

  it("tells which model answers and how many requests it works on", () => {
    const ready = (running: number, queued: number): string =>
      describe({ kind: "ready", address, health: { ...health, running, queued } }).text;
    expect(ready(0, 0)).toBe("API server: ttdirect-demo");
    expect(ready(3, 0)).toBe("API server: ttdirect-demo, 3 running");
    expect(ready(32, 4)).toBe("API server: ttdirect-demo, 32 running, 4 waiting");
  });

  it("tells the model's memory to whoever points at it, where the server tells it", () => {
    const tooltip = (memory: Health["memory"] & object): string =>
      describe({ kind: "ready", address, health: { ...health, memory } }).tooltip;
    expect(tooltip({ weights_bytes: 41e6, kv_cache_bytes: 1.2e9 })).toContain(
      "| Memory | 41 MB weights, 1.2 GB KV cache |",
    );
    expect(describe({ kind: "ready", address, health }).tooltip).not.toContain("Memory");
  });

  it("tells why the server failed to whoever points at it", () => {
    expect(describe({ kind: "failed", failure }).tooltip).toBe("It broke.\n\nMend it.");
  });
});

group("the menu", () => {
  it.each(states)("offers what can be done when the server is $kind", (state) => {
    const offered = entriesFor(state).map((entry) => entry.command);
    expect(offered.includes(commands.start)).toBe(["stopped", "failed"].includes(state.kind));
    expect(offered.includes(commands.stop)).toBe(
      ["starting", "loading", "ready"].includes(state.kind),
    );
    expect(offered.includes(commands.testBasic)).toBe(state.kind === "ready");
    expect(offered).toContain(commands.openWalkthrough);
  });
});
