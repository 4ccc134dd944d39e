import * as vscode from "vscode";
import type { Server } from "../server/server";
import { isUp } from "../server/state";

/** One thing that has to be there before the next can be done. */
export interface Prerequisite {
  /** What is told when it is not there, as a sentence. */
  readonly missing: () => string;
  isMet(): Promise<boolean>;
  meet(): Promise<void>;
}

/**
 * Put right what is missing, after asking once.
 *
 * A learner who skips a step is told so, and one click makes up for it.
 *
 * @param prerequisites in the order in which they are met.
 * @param goal the button, such as "Start the Server".
 * @throws CancellationError when the user does not want to.
 */
export async function ensure(prerequisites: readonly Prerequisite[], goal: string): Promise<void> {
  const missing: Prerequisite[] = [];
  for (const prerequisite of prerequisites) {
    if (!(await prerequisite.isMet())) missing.push(prerequisite);
  }
  if (missing.length === 0) return;
  const what = missing.map((prerequisite) => prerequisite.missing()).join(" ");
  const answer = await vscode.window.showWarningMessage(what, goal);
  if (answer !== goal) throw new vscode.CancellationError();
  for (const prerequisite of missing) await prerequisite.meet();
}

/** A server that answers. One that is about to counts as met; whoever asks waits for it. */
export function runningServer(server: Server, start: () => Promise<void>): Prerequisite {
  return {
    missing: () => vscode.l10n.t("The server is not running."),
    isMet: () => Promise.resolve(isUp(server.state)),
    meet: start,
  };
}
