import * as vscode from "vscode";
import type { Server } from "../server/server";
import { isUp } from "../server/state";

/** One thing that has to be there before the next can be done. */
export interface Prerequisite {
  /** As it stands in the sentence "The packages are not installed and ...". */
  readonly missing: string;
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
  const what = sentence(missing.map((m) => m.missing));
  const answer = await vscode.window.showWarningMessage(what, goal);
  if (answer !== goal) throw new vscode.CancellationError();
  for (const prerequisite of missing) await prerequisite.meet();
}

/** "The server is not running." or "A, b, and c." */
export function sentence(parts: readonly string[]): string {
  const text =
    parts.length < 3
      ? parts.join(" and ")
      : `${parts.slice(0, -1).join(", ")}, and ${parts.at(-1)}`;
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** A server that answers. One that is about to counts as met; whoever asks waits for it. */
export function runningServer(server: Server, start: () => Promise<void>): Prerequisite {
  return {
    missing: "the server is not running",
    isMet: () => Promise.resolve(isUp(server.state)),
    meet: start,
  };
}
