import * as l10n from "@vscode/l10n";
import { create } from "./dom";
import type { Post } from "./host";
import { testIds } from "./testids";

/** What stands in the results view while there is nothing to show. */
export function emptyState(post: Post): HTMLElement {
  return create(
    "div",
    { className: "empty", testId: testIds.empty },
    create("h2", {}, l10n.t("No requests yet")),
    create(
      "p",
      {},
      l10n.t(
        "Write a question above and press Ask. The answer appears here as the model writes it, with what it cost: tokens, seconds and the time to the first token.",
      ),
    ),
    create(
      "p",
      {},
      l10n.t("Or send three at once, to see that one loaded model answers them at the same time:"),
    ),
    create(
      "button",
      {
        type: "button",
        className: "secondary",
        testId: testIds.askSeveral,
        onClick: () => post({ type: "askSeveral" }),
      },
      l10n.t("Ask three questions at once"),
    ),
  );
}
