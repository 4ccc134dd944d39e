import { commands } from "../ids";
import type { Records } from "../results/history";
import type { ResultRecord } from "../results/protocol";
import { duration, rate } from "../figures";
import type { Row } from "./row";

/** How many of the last requests are shown. */
const shown = 5;

const icons: Record<ResultRecord["status"], string> = {
  running: "loading~spin",
  done: "pass",
  failed: "error",
  cancelled: "circle-slash",
};

/** The section of the last requests, newest first; none before the first request. */
export function requestRows(records: Records): readonly Row[] {
  if (records.length === 0) return [];
  const newest = records.slice(-shown).reverse();
  return [
    {
      id: "requests",
      icon: "history",
      label: "Recent Requests",
      description: records.length > shown ? `${shown} of ${records.length}` : "",
      tooltip: "What was asked from this workspace. A click opens the answer in the results.",
      children: newest.map(requestRow),
    },
  ];
}

function requestRow(record: ResultRecord): Row {
  const prompt = record.request.prompt.trim().replace(/\s+/g, " ");
  return {
    id: `requests/${record.id}`,
    icon: icons[record.status],
    label: prompt === "" ? "(empty)" : prompt,
    description: outcome(record),
    tooltip: record.error ?? record.request.prompt,
    action: { command: commands.showRequest, arguments: [record.id] },
  };
}

function outcome({ status, result }: ResultRecord): string {
  if (status !== "done" || !result) return status;
  return `${duration(result.time_seconds)}, ${rate(result.tokens_per_second)} tokens/s`;
}
