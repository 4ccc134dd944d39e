import { l10n } from "vscode";
import type { RecentRequest } from "../recentRequests";
import { duration, rate } from "../figures";
import type { Row } from "./row";

/** How many of the last requests are shown. */
const shown = 5;

const icons: Record<RecentRequest["status"], string> = {
  running: "loading~spin",
  done: "pass",
  failed: "error",
  cancelled: "circle-slash",
};

/** The section of the last requests, newest first; none before the first request. */
export function requestRows(requests: readonly RecentRequest[]): readonly Row[] {
  if (requests.length === 0) return [];
  const newest = requests.slice(-shown).reverse();
  return [
    {
      id: "requests",
      icon: "history",
      label: l10n.t("Recent Requests"),
      description: requests.length > shown ? l10n.t("{0} of {1}", shown, requests.length) : "",
      tooltip: l10n.t(
        "What was asked in the results, in a comparison or in the chat. A click opens it there.",
      ),
      children: newest.map(requestRow),
    },
  ];
}

function requestRow(request: RecentRequest): Row {
  const prompt = request.prompt.trim().replace(/\s+/g, " ");
  return {
    id: `requests/${request.id}`,
    icon: icons[request.status],
    label: prompt === "" ? l10n.t("(empty)") : prompt,
    description: outcome(request),
    tooltip: request.error ?? request.prompt,
    action: request.opens,
  };
}

function outcome({ status, cost }: RecentRequest): string {
  if (status === "running") return l10n.t("running");
  if (status === "failed") return l10n.t("failed");
  if (status === "cancelled") return l10n.t("cancelled");
  if (!cost) return l10n.t("done");
  return `${duration(cost.seconds)}, ${l10n.t("{0} tokens/s", rate(cost.tokensPerSecond))}`;
}
