import { type ChatFollowup, l10n } from "vscode";
import type { SlashCommand } from "../ids";

/** What the model that ships, which knows English alone, can answer well: newcomers see it first. */
const lessonQuestions = [
  "What is a KV cache?",
  "How does the server answer many users at once?",
  "What does the temperature do?",
  "What is prefill?",
] as const;

function after(command: SlashCommand): readonly ChatFollowup[] {
  const health = { prompt: "", command: "health", label: l10n.t("How is the server now?") };
  switch (command) {
    case "explain":
      return [
        { prompt: "the model", command: "explain", label: l10n.t("How is the model loaded?") },
        { prompt: "the routes", command: "explain", label: l10n.t("What do the routes do?") },
      ];
    case "test":
      return [
        { prompt: "", command: "compare", label: l10n.t("What does the temperature change?") },
        health,
      ];
    case "compare":
      return [{ prompt: "What does the temperature do?", command: "" }];
    case "health":
      return [
        { prompt: "", command: "test", label: l10n.t("How does it answer several at once?") },
      ];
    case "fix":
      return [health];
  }
}

/**
 * Questions that lead on.
 *
 * @param asked all questions of the chat, the last one too: none is proposed again.
 * @param isShipped whether the model that ships has answered; others know more than the lesson.
 */
export function followupsAfter(
  command: SlashCommand | undefined,
  asked: readonly string[],
  isShipped: boolean,
): ChatFollowup[] {
  if (command) return after(command).filter(({ prompt }) => !prompt || !asked.includes(prompt));
  if (!isShipped) {
    return [
      { prompt: l10n.t("Can you give an example?"), command: "" },
      { prompt: "", command: "compare", label: l10n.t("What would other temperatures say?") },
    ];
  }
  return lessonQuestions
    .filter((question) => !asked.includes(question))
    .slice(0, 2)
    .map((prompt) => ({ prompt, command: "" }));
}
