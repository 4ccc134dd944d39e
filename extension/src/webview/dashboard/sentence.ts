/** What a load test says, in words. */

import * as l10n from "@vscode/l10n";
import { type LoadTest, userCounts } from "../../dashboard/protocol";
import { rate } from "../../figures";

/** What batching gave; undefined while nothing was measured. */
export function loadSentence({ cases }: Pick<LoadTest, "cases">): string | undefined {
  const [alone, ...together] = cases;
  if (!alone) return undefined;
  const [best] = [...together].sort((a, b) => b.tokensPerSecond - a.tokensPerSecond);
  if (!best) return l10n.t("One user gets {0} tokens/s.", rate(alone.tokensPerSecond));
  const times = best.tokensPerSecond / alone.tokensPerSecond;
  return times < 1.1
    ? l10n.t("Several users together get no more tokens/s than one.")
    : l10n.t("{0} users together get {1} times the tokens/s of one.", best.users, times.toFixed(1));
}

/** What the test does now, or how it ended where that is not plain to see. */
export function statusSentence({ status, cases }: LoadTest): string {
  switch (status) {
    case "running":
      return progressSentence(cases.length);
    case "cancelled":
      return cases.length === 0 ? l10n.t("Cancelled.") : l10n.t("Cancelled before its end.");
    case "failed":
    case "done":
      return "";
  }
}

function progressSentence(measured: number): string {
  const users = userCounts[measured];
  if (users === undefined) return l10n.t("Almost done.");
  const [number, all] = [measured + 1, userCounts.length];
  return users === 1
    ? l10n.t("Asking with 1 user at once ({0} of {1}).", number, all)
    : l10n.t("Asking with {0} users at once ({1} of {2}).", users, number, all);
}

/** How many requests got no answer; undefined when all did. */
export function failureNote({ cases }: Pick<LoadTest, "cases">): string | undefined {
  const failures = cases.reduce((sum, { failures }) => sum + failures, 0);
  if (failures === 0) return undefined;
  return failures === 1
    ? l10n.t("1 request got no answer; the server's terminal says why.")
    : l10n.t("{0} requests got no answer; the server's terminal says why.", failures);
}
