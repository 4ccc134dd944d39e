import { l10n } from "vscode";
import type { MemoryUse } from "../server/api";
import type { Metrics } from "../server/metrics";
import { addressOf, type ServerState } from "../server/state";
import { describe, stateWord } from "../status/description";
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
    label: l10n.t("Server"),
    description: addressOf(state) ?? "",
    children: [stateRow(state), ...factsOf(state, figures, published)],
  };
}

function stateRow(state: ServerState): Row {
  const { icon } = describe(state);
  const row = (description: string, tooltip = description): Row =>
    fact("server/state", icon, l10n.t("State"), description, tooltip);
  switch (state.kind) {
    case "loading": {
      const { phase, elapsed_seconds, progress } = state.health;
      const done = progress > 0 ? [percent(progress)] : [];
      return row([phase, `${Math.round(elapsed_seconds)} s`, ...done].join(", "));
    }
    case "failed": {
      const { what, fix } = state.failure;
      return { ...row(what, `${what}\n${fix}`), icon: "error", colour: "list.errorForeground" };
    }
    case "stopped":
    case "starting":
    case "ready":
    case "stopping":
      return row(stateWord(state.kind));
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
    ...(model === null ? [] : [fact("server/model", "package", l10n.t("Model"), model)]),
    ...(device === null ? [] : [fact("server/device", "chip", l10n.t("Device"), device)]),
  ];
  if (state.kind === "loading") return what;
  const { running, queued, max_batch_size, elapsed_seconds } = state.health;
  return [
    ...what,
    fact(
      "server/uptime",
      "clock",
      l10n.t("Uptime"),
      span(elapsed_seconds),
      l10n.t("Since the model is loaded"),
    ),
    fact(
      "server/requests",
      "list-ordered",
      l10n.t("Requests"),
      l10n.t("{0} running, {1} queued", running, queued),
      l10n.t(
        "{0} of at most {1} requests at the same time are being answered; {2} wait for a place.",
        running,
        max_batch_size,
        queued,
      ),
    ),
    ...figureRows(figures),
    ...publishedRows(published),
    ...(memory ? [memoryRow(memory)] : []),
  ];
}

function figureRows(figures: Figures | undefined): readonly Row[] {
  if (!figures) return [];
  if (figures.kind === "refused") {
    const label = l10n.t("Figures");
    return [{ ...fact("server/speed", "dashboard", label, figures.why, figures.why), ...alarming }];
  }
  const { metrics, speed } = figures;
  return [
    fact(
      "server/speed",
      "dashboard",
      l10n.t("Tokens/s"),
      speedWords(speed),
      [
        l10n.t("All answers together in the last seconds, and each of them while it was written."),
        l10n.t("{0} tokens since the server started.", metrics.generationTokens),
      ].join("\n"),
    ),
    fact(
      "server/cache",
      "database",
      l10n.t("KV cache"),
      l10n.t("{0} in use", percent(metrics.kvCacheUse)),
      l10n.t("What running answers, and prompts that may come again, hold of the cache"),
    ),
  ];
}

function speedWords(speed: Speed | undefined): string {
  const each = speed?.each === undefined ? undefined : rate(speed.each);
  if (!speed || speed.now === 0) {
    return each === undefined ? l10n.t("idle") : l10n.t("idle, last {0} each", each);
  }
  return each === undefined ? rate(speed.now) : l10n.t("{0}, {1} each", rate(speed.now), each);
}

/** What others have measured for this model on this board, beside what is measured here. */
function publishedRows(published: readonly Published[]): readonly Row[] {
  const [one] = published;
  if (!one) return [];
  const figures = published.map(({ batch, tokens_per_second }) =>
    batch === 1
      ? l10n.t("{0} alone", tokens_per_second)
      : l10n.t("{0} each for {1}", tokens_per_second, batch),
  );
  const lines = published.map(({ batch, tokens_per_second, source }) => {
    const requests =
      batch === 1 ? l10n.t("1 request alone") : l10n.t("{0} requests at the same time", batch);
    return `${requests}: ${tokens_per_second} (${source.where}: ${source.state})`;
  });
  return [
    fact(
      "server/published",
      "milestone",
      l10n.t("Expected tokens/s"),
      figures.join(", "),
      [
        l10n.t("Published for this model on {0}, tokens/s of each request:", one.system),
        ...lines,
      ].join("\n"),
    ),
  ];
}

/** Short enough for a side bar; the words are in the tooltip. */
function memoryRow(memory: MemoryUse): Row {
  const { weights_bytes, kv_cache_bytes } = memory;
  const said = l10n.t("{0} + {1} KV cache", bytes(weights_bytes), bytes(kv_cache_bytes));
  return fact("server/memory", "server", l10n.t("Memory"), said, memoryUse(memory));
}
