import { l10n } from "vscode";
import type { Health } from "../server/client";
import type { ServerState } from "../server/state";
import { memoryUse } from "./words";

/** A state in the words that every surface uses. */
export interface Description {
  /** A codicon's name. */
  readonly icon: string;
  readonly text: string;
  /** Markdown. */
  readonly tooltip: string;
}

export function describe(state: ServerState): Description {
  switch (state.kind) {
    case "stopped":
      return {
        icon: "circle-outline",
        text: l10n.t("API server: stopped"),
        tooltip: l10n.t("No server runs. Click to start it."),
      };
    case "starting":
      return {
        icon: "loading~spin",
        text: l10n.t("API server: starting"),
        tooltip: l10n.t("Python imports what the server needs."),
      };
    case "loading":
      return {
        icon: "loading~spin",
        text: l10n.t(
          "API server: {0}, {1} s",
          state.health.phase,
          Math.round(state.health.elapsed_seconds),
        ),
        tooltip: l10n.t(
          "{0} is there already; it answers when the model is loaded.",
          state.address,
        ),
      };
    case "ready":
      return {
        icon: "circle-filled",
        text: readyText(state.health),
        tooltip: readyTooltip(state.address, state.health),
      };
    case "stopping":
      return {
        icon: "loading~spin",
        text: l10n.t("API server: stopping"),
        tooltip: l10n.t("Running answers are being finished."),
      };
    case "failed":
      return {
        icon: "error",
        text: l10n.t("API server: failed"),
        tooltip: `${state.failure.what}\n\n${state.failure.fix}`,
      };
  }
}

/** A state in one word. */
export function stateWord(kind: ServerState["kind"]): string {
  switch (kind) {
    case "stopped":
      return l10n.t("stopped");
    case "starting":
      return l10n.t("starting");
    case "loading":
      return l10n.t("loading");
    case "ready":
      return l10n.t("ready");
    case "stopping":
      return l10n.t("stopping");
    case "failed":
      return l10n.t("failed");
  }
}

function readyText({ model, running, queued }: Health): string {
  const name = model ?? stateWord("ready");
  if (running === 0) return l10n.t("API server: {0}", name);
  return queued === 0
    ? l10n.t("API server: {0}, {1} running", name, running)
    : l10n.t("API server: {0}, {1} running, {2} waiting", name, running, queued);
}

function readyTooltip(address: string, health: Health): string {
  const rows = [
    [l10n.t("Model"), health.model ?? l10n.t("unknown")],
    [l10n.t("Device"), health.device ?? l10n.t("unknown")],
    [l10n.t("Running"), l10n.t("{0} of {1}", health.running, health.max_batch_size)],
    [l10n.t("Waiting"), String(health.queued)],
    [l10n.t("Context"), l10n.t("{0} tokens", health.max_seq_len)],
    ...(health.memory ? [[l10n.t("Memory"), memoryUse(health.memory)]] : []),
  ];
  return [
    `**${address}**`,
    "",
    "| | |",
    "|---|---|",
    ...rows.map((r) => `| ${r.join(" | ")} |`),
  ].join("\n");
}
