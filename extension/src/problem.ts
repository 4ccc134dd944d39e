import * as vscode from "vscode";
import { commands } from "./ids";

/** A command of the editor or of ours, to be run when a person chooses it. */
export interface Action {
  readonly command: string;
  readonly arguments?: readonly unknown[];
}

/** A button under an error: what it says and what it does. */
export interface Remedy extends Action {
  readonly title: string;
}

export async function perform(action: Action): Promise<void> {
  await vscode.commands.executeCommand(action.command, ...(action.arguments ?? []));
}

/**
 * Open the settings editor on those that a search for `query` finds.
 *
 * They belong to the machine that runs the server: in a remote window the user's own page does not
 * show them.
 */
export function openSettings(query: string): Remedy {
  const page = vscode.env.remoteName === undefined ? "openSettings" : "openRemoteSettings";
  return {
    title: vscode.l10n.t("Open Settings"),
    command: `workbench.action.${page}`,
    arguments: [{ query }],
  };
}

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
  const message = known
    ? error.message
    : vscode.l10n.t("Something unexpected went wrong: {0}", String(error));
  log.error(known ? message : error instanceof Error ? (error.stack ?? message) : message);
  const showLog: Remedy = { title: vscode.l10n.t("Show Log"), command: commands.showLog };
  const reportIt: Remedy = { title: vscode.l10n.t("Report It"), command: commands.reportProblem };
  const remedies = known ? error.remedies : [showLog, reportIt];
  const buttons = remedies.length > 0 ? remedies : [showLog];
  const chosen = await vscode.window.showErrorMessage(message, ...buttons.map((r) => r.title));
  const remedy = buttons.find((r) => r.title === chosen);
  if (remedy) await perform(remedy);
}
