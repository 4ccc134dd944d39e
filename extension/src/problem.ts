import * as vscode from "vscode";
import { commands } from "./ids";

/** A button under an error: what it says and the command that it runs. */
export interface Remedy {
  readonly title: string;
  readonly command: string;
  readonly arguments?: readonly unknown[];
}

const showLog: Remedy = { title: "Show Log", command: commands.showLog };

/**
 * A failure told to a person: what happened, what to do about it, and buttons that do it.
 *
 * Thrown by every operation that a command runs; `reportProblem` shows it.
 */
export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    readonly what: string,
    readonly fix: string,
    readonly remedies: readonly Remedy[] = [],
  ) {
    super(`${what} ${fix}`.trim());
  }
}

/** Show an error with its remedies, and run the one that is chosen. */
export async function reportProblem(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  if (error instanceof vscode.CancellationError) return;
  const known = error instanceof Problem;
  const message = known ? error.message : `Something unexpected went wrong: ${String(error)}`;
  log.error(known ? message : error instanceof Error ? (error.stack ?? message) : message);
  const remedies = known && error.remedies.length > 0 ? error.remedies : [showLog];
  const chosen = await vscode.window.showErrorMessage(message, ...remedies.map((r) => r.title));
  const remedy = remedies.find((r) => r.title === chosen);
  if (remedy) await vscode.commands.executeCommand(remedy.command, ...(remedy.arguments ?? []));
}
