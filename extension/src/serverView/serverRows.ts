import type { MemoryUse } from "../server/api";
import type { Metrics } from "../server/metrics";
import { addressOf, type ServerState } from "../server/state";
import { describe } from "../status/description";
import { bytes, memoryUse, percent, span } from "../status/words";
import { rate } from "../figures";
import type { Published } from "./hardware";
import { alarming, fact, type Row } from "./row";
import type { Speed } from "./speed";

/** What `/metrics` told, or why it did not. */
export type Figures =
  | { readonly kind: "told"; readonly metrics: Metrics; readonly speed: Speed | undefined }
  | { readonly kind: "refused"; readonly why: string };

/** The section of the server itself. */
export function serverRow(
  state: ServerState,
  figures: Figures | undefined,
  published: readonly Published[],
): Row {
  return {
    id: "server",
    icon: "server-process",
    label: "Server",
    description: addressOf(state) ?? "",
    children: [stateRow(state), ...factsOf(state, figures, published)],
  };
}

function stateRow(state: ServerState): Row {
  const { icon } = describe(state);
  const row = (description: string, tooltip = description): Row =>
    fact("server/state", icon, "State", description, tooltip);
  switch (state.kind) {
    case "loading": {
      const { phase, elapsed_seconds, progress } = state.health;
      const done = progress > 0 ? `, ${percent(progress)}` : "";
      return row(`${phase}, ${Math.round(elapsed_seconds)} s${done}`);
    }
    case "failed": {
      const { what, fix } = state.failure;
      return { ...row(what, `${what}\n${fix}`), icon: "error", colour: "list.errorForeground" };
    }
    case "stopped":
    case "starting":
    case "ready":
    case "stopping":
      return row(state.kind);
  }
}

function factsOf(
  state: ServerState,
  figures: Figures | undefined,
  published: readonly Published[],
): readonly Row[] {
  if (state.kind !== "loading" && state.kind !== "ready") return [];
  const { model, device, memory } = state.health;
  const what = [
    ...(model === null ? [] : [fact("server/model", "package", "Model", model)]),
    ...(device === null ? [] : [fact("server/device", "chip", "Device", device)]),
  ];
  if (state.kind === "loading") return what;
  const { running, queued, max_batch_size, elapsed_seconds } = state.health;
  return [
    ...what,
    fact("server/uptime", "clock", "Uptime", span(elapsed_seconds), "Since the model is loaded"),
    fact(
      "server/requests",
      "list-ordered",
      "Requests",
      `${running} running, ${queued} queued`,
      `${running} of at most ${max_batch_size} requests at the same time are being answered; ` +
        `${queued} wait for a place.`,
    ),
    ...figureRows(figures),
    ...publishedRows(published),
    ...(memory ? [memoryRow(memory)] : []),
  ];
}

function figureRows(figures: Figures | undefined): readonly Row[] {
  if (!figures) return [];
  if (figures.kind === "refused") {
    return [
      { ...fact("server/speed", "dashboard", "Figures", figures.why, figures.why), ...alarming },
    ];
  }
  const { metrics, speed } = figures;
  return [
    fact(
      "server/speed",
      "dashboard",
      "Tokens/s",
      speedWords(speed),
      `All answers together in the last seconds, and each of them while it was written.\n` +
        `${metrics.generationTokens} tokens since the server started.`,
    ),
    fact(
      "server/cache",
      "database",
      "KV cache",
      `${percent(metrics.kvCacheUse)} in use`,
      "What running answers, and prompts that may come again, hold of the cache",
    ),
  ];
}

function speedWords(speed: Speed | undefined): string {
  const each = speed?.each === undefined ? undefined : `${rate(speed.each)} each`;
  if (!speed || speed.now === 0) return each === undefined ? "idle" : `idle, last ${each}`;
  return each === undefined ? rate(speed.now) : `${rate(speed.now)}, ${each}`;
}

/** What others have measured for this model on this board, beside what is measured here. */
function publishedRows(published: readonly Published[]): readonly Row[] {
  const [one] = published;
  if (!one) return [];
  const figures = published.map(({ batch, tokens_per_second }) =>
    batch === 1 ? `${tokens_per_second} alone` : `${tokens_per_second} each for ${batch}`,
  );
  const lines = published.map(({ batch, tokens_per_second, source }) => {
    const requests = batch === 1 ? "1 request alone" : `${batch} requests at the same time`;
    return `${requests}: ${tokens_per_second} (${source.where}: ${source.state})`;
  });
  return [
    fact(
      "server/published",
      "milestone",
      "Expected tokens/s",
      figures.join(", "),
      [`Published for this model on ${one.system}, tokens/s of each request:`, ...lines].join("\n"),
    ),
  ];
}

/** Short enough for a side bar; the words are in the tooltip. */
function memoryRow(memory: MemoryUse): Row {
  const { weights_bytes, kv_cache_bytes } = memory;
  const said = `${bytes(weights_bytes)} + ${bytes(kv_cache_bytes)} KV cache`;
  return fact("server/memory", "server", "Memory", said, memoryUse(memory));
}
