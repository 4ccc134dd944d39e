import type * as vscode from "vscode";
import type { Cost } from "../recentRequests";
import type { Turn } from "./turns";

/** One request in the chat: what was asked, what went before, and where the answer goes. */
export interface Talk {
  /** Without the participant's name and the slash command. */
  readonly prompt: string;
  readonly references: readonly vscode.ChatPromptReference[];
  readonly turns: readonly Turn[];
  readonly response: vscode.ChatResponseStream;
  /** Aborted when the user presses Stop. */
  readonly signal: AbortSignal;
  /** Takes what the answer has cost, for those who list requests. */
  readonly spent: (cost: Cost) => void;
}
