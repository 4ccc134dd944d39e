/** What is drawn where, in which words and colours. */

import * as l10n from "@vscode/l10n";
import { duration, rate } from "../../figures";
import type { Quantity } from "./history";

/** One line of a chart. */
export interface Line {
  readonly quantity: Quantity;
  /** In the legend. */
  readonly label: string;
  /** In the table, where no title stands above it. */
  readonly name: string;
}

/** One chart: its first line is solid, its second dashed. */
export interface ChartKind {
  readonly title: string;
  /** What it says, for whoever does not know the term. */
  readonly explanation: string;
  readonly lines: readonly [Line, Line] | readonly [Line];
  readonly format: (value: number) => string;
  /** Words at the axis, where only round values stand. */
  readonly mark: (value: number) => string;
  /** The top of the axis when all values are lower. */
  readonly atLeast: number;
  /** The top of the axis in any case. */
  readonly atMost?: number;
}

/** Times between tokens can be short: "2.2 ms", "84 ms", "1.24 s". */
export function latency(seconds: number): string {
  return seconds < 0.00995 ? `${(seconds * 1000).toFixed(1)} ms` : duration(seconds);
}

/** A round time: "5 ms", not "5.0 ms". */
function roundLatency(seconds: number): string {
  return seconds < 0.01 ? `${Number((seconds * 1000).toFixed(1))} ms` : duration(seconds);
}

export const chartKinds: readonly ChartKind[] = [
  {
    title: l10n.t("Throughput, tokens/s"),
    explanation: l10n.t("Tokens of all answers together, and of the prompts that were read"),
    lines: [
      { quantity: "answerRate", label: l10n.t("Answers"), name: l10n.t("Tokens/s of answers") },
      { quantity: "promptRate", label: l10n.t("Prompts"), name: l10n.t("Tokens/s of prompts") },
    ],
    format: (value) => (value === 0 ? "0" : rate(value)),
    mark: String,
    atLeast: 10,
  },
  {
    title: l10n.t("Time to first token (TTFT)"),
    explanation: l10n.t("From a request's arrival to its first token, over the last ten seconds"),
    lines: [
      { quantity: "ttft", label: l10n.t("Average"), name: l10n.t("TTFT, average") },
      {
        quantity: "ttft95",
        label: l10n.t("95 % under"),
        name: l10n.t("TTFT, 95 % under"),
      },
    ],
    format: latency,
    mark: roundLatency,
    atLeast: 0.01,
  },
  {
    title: l10n.t("Time between tokens (ITL)"),
    explanation: l10n.t(
      "Inter-token latency: how long an answer's next token takes, over the last ten seconds",
    ),
    lines: [
      { quantity: "itl", label: l10n.t("Average"), name: l10n.t("ITL, average") },
      { quantity: "itl95", label: l10n.t("95 % under"), name: l10n.t("ITL, 95 % under") },
    ],
    format: latency,
    mark: roundLatency,
    atLeast: 0.01,
  },
  {
    title: l10n.t("Requests"),
    explanation: l10n.t(
      "Those that are being answered, and those that wait for a free place in the batch",
    ),
    lines: [
      { quantity: "running", label: l10n.t("Running"), name: l10n.t("Requests running") },
      { quantity: "waiting", label: l10n.t("Waiting"), name: l10n.t("Requests waiting") },
    ],
    format: String,
    mark: String,
    atLeast: 4,
  },
  {
    title: l10n.t("KV cache in use"),
    explanation: l10n.t(
      "How much of the memory for running conversations is taken; when it is full, requests wait",
    ),
    lines: [{ quantity: "cache", label: l10n.t("Used"), name: l10n.t("KV cache in use") }],
    format: (share) => `${(share * 100).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`,
    mark: (share) => `${Number((share * 100).toFixed(1))} %`,
    atLeast: 0.05,
    atMost: 1,
  },
];

/** A value in its chart's words; a dash where there is none. */
export function written(value: number | undefined, { format }: ChartKind): string {
  return value === undefined ? "–" : format(value);
}
