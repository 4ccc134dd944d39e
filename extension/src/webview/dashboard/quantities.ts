/** What is drawn where, in which words and colours. */

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
    title: "Throughput, tokens/s",
    explanation: "Tokens of all answers together, and of the prompts that were read",
    lines: [
      { quantity: "answerRate", label: "Answers", name: "Tokens/s of answers" },
      { quantity: "promptRate", label: "Prompts", name: "Tokens/s of prompts" },
    ],
    format: (value) => (value === 0 ? "0" : rate(value)),
    mark: String,
    atLeast: 10,
  },
  {
    title: "Time to first token (TTFT)",
    explanation: "From a request's arrival to its first token, over the last ten seconds",
    lines: [
      { quantity: "ttft", label: "Average", name: "TTFT, average" },
      {
        quantity: "ttft95",
        label: "95 % under",
        name: "TTFT, 95 % under",
      },
    ],
    format: latency,
    mark: roundLatency,
    atLeast: 0.01,
  },
  {
    title: "Time between tokens (ITL)",
    explanation:
      "Inter-token latency: how long an answer's next token takes, over the last ten seconds",
    lines: [
      { quantity: "itl", label: "Average", name: "ITL, average" },
      { quantity: "itl95", label: "95 % under", name: "ITL, 95 % under" },
    ],
    format: latency,
    mark: roundLatency,
    atLeast: 0.01,
  },
  {
    title: "Requests",
    explanation: "Those that are being answered, and those that wait for a free place in the batch",
    lines: [
      { quantity: "running", label: "Running", name: "Requests running" },
      { quantity: "waiting", label: "Waiting", name: "Requests waiting" },
    ],
    format: String,
    mark: String,
    atLeast: 4,
  },
  {
    title: "KV cache in use",
    explanation:
      "How much of the memory for running conversations is taken; when it is full, requests wait",
    lines: [{ quantity: "cache", label: "Used", name: "KV cache in use" }],
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
