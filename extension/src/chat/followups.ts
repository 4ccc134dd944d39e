import type * as vscode from "vscode";
import type { SlashCommand } from "../ids";

/** What the model that ships can answer well, so that a newcomer sees good answers first. */
const lessonQuestions = [
  "What is a KV cache?",
  "How does the server answer many users at once?",
  "What does the temperature do?",
  "What is prefill?",
] as const;

const after: Readonly<Record<SlashCommand, readonly vscode.ChatFollowup[]>> = {
  explain: [
    { prompt: "the model", command: "explain", label: "How is the model loaded?" },
    { prompt: "the routes", command: "explain", label: "What do the routes do?" },
  ],
  test: [
    { prompt: "", command: "compare", label: "What does the temperature change?" },
    { prompt: "", command: "health", label: "How is the server now?" },
  ],
  compare: [{ prompt: "What does the temperature do?", command: "" }],
  health: [{ prompt: "", command: "test", label: "How does it answer several at once?" }],
  fix: [{ prompt: "", command: "health", label: "How is the server now?" }],
};

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
): vscode.ChatFollowup[] {
  if (command) return after[command].filter(({ prompt }) => !prompt || !asked.includes(prompt));
  if (!isShipped) {
    return [
      { prompt: "Can you give an example?", command: "" },
      { prompt: "", command: "compare", label: "What would other temperatures say?" },
    ];
  }
  return lessonQuestions
    .filter((question) => !asked.includes(question))
    .slice(0, 2)
    .map((prompt) => ({ prompt, command: "" }));
}
