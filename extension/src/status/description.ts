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
        text: "API server: stopped",
        tooltip: "No server runs. Click to start it.",
      };
    case "starting":
      return {
        icon: "loading~spin",
        text: "API server: starting",
        tooltip: "Python imports what the server needs.",
      };
    case "loading":
      return {
        icon: "loading~spin",
        text: `API server: ${state.health.phase}, ${Math.round(state.health.elapsed_seconds)} s`,
        tooltip: `${state.address} is there already; it answers when the model is loaded.`,
      };
    case "ready":
      return {
        icon: "circle-filled",
        text: `API server: ${state.health.model ?? "ready"}${busy(state.health)}`,
        tooltip: readyTooltip(state.address, state.health),
      };
    case "stopping":
      return {
        icon: "loading~spin",
        text: "API server: stopping",
        tooltip: "Running answers are being finished.",
      };
    case "failed":
      return {
        icon: "error",
        text: "API server: failed",
        tooltip: `${state.failure.what}\n\n${state.failure.fix}`,
      };
  }
}

function busy({ running, queued }: Health): string {
  if (running === 0) return "";
  return queued === 0 ? `, ${running} running` : `, ${running} running, ${queued} waiting`;
}

function readyTooltip(address: string, health: Health): string {
  const rows = [
    ["Model", health.model ?? "unknown"],
    ["Device", health.device ?? "unknown"],
    ["Running", `${health.running} of ${health.max_batch_size}`],
    ["Waiting", String(health.queued)],
    ["Context", `${health.max_seq_len} tokens`],
    ...(health.memory ? [["Memory", memoryUse(health.memory)]] : []),
  ];
  return [
    `**${address}**`,
    "",
    "| | |",
    "|---|---|",
    ...rows.map((r) => `| ${r.join(" | ")} |`),
  ].join("\n");
}
