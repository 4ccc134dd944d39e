import { create } from "./dom";
import type { Post } from "./host";
import { testIds } from "./testids";

/** What stands in the results view while there is nothing to show. */
export function emptyState(post: Post): HTMLElement {
  return create(
    "div",
    { className: "empty", testId: testIds.empty },
    create("h2", {}, "No requests yet"),
    create(
      "p",
      {},
      "Write a question above and press Ask. The answer appears here as the model writes it, " +
        "with what it cost: tokens, seconds and the time to the first token.",
    ),
    create(
      "p",
      {},
      "Or send three at once, to see that one loaded model answers them at the same time:",
    ),
    create(
      "button",
      {
        type: "button",
        className: "secondary",
        testId: testIds.askSeveral,
        onClick: () => post({ type: "askSeveral" }),
      },
      "Ask three questions at once",
    ),
  );
}
