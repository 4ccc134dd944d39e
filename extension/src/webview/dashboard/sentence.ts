/** What a load test says, in words. */

import { type LoadTest, userCounts } from "../../dashboard/protocol";
import { plural, rate } from "../../figures";

/** What batching gave; undefined while nothing was measured. */
export function loadSentence({ cases }: Pick<LoadTest, "cases">): string | undefined {
  const [alone, ...together] = cases;
  if (!alone) return undefined;
  const [best] = [...together].sort((a, b) => b.tokensPerSecond - a.tokensPerSecond);
  if (!best) return `One user gets ${rate(alone.tokensPerSecond)} tokens/s.`;
  const times = best.tokensPerSecond / alone.tokensPerSecond;
  return times < 1.1
    ? "Several users together get no more tokens/s than one."
    : `${best.users} users together get ${times.toFixed(1)} times the tokens/s of one.`;
}

/** What the test does now, or how it ended where that is not plain to see. */
export function statusSentence({ status, cases }: LoadTest): string {
  const users = userCounts[cases.length];
  switch (status) {
    case "running":
      return users === undefined
        ? "Almost done."
        : `Asking with ${plural(users, "user")} at once (${cases.length + 1} of ${userCounts.length}).`;
    case "cancelled":
      return cases.length === 0 ? "Cancelled." : "Cancelled before its end.";
    case "failed":
    case "done":
      return "";
  }
}

/** How many requests got no answer; undefined when all did. */
export function failureNote({ cases }: Pick<LoadTest, "cases">): string | undefined {
  const failures = cases.reduce((sum, { failures }) => sum + failures, 0);
  if (failures === 0) return undefined;
  return `${plural(failures, "request")} got no answer; the server's terminal says why.`;
}
