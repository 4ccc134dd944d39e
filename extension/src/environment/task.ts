import * as os from "node:os";
import * as vscode from "vscode";
import { Problem } from "../problem";
import type { Remedy } from "../problem";

/** Brings the terminal of a task to the front: it was the last one shown. */
export const showTerminal = (): Remedy => ({
  title: vscode.l10n.t("Show Terminal"),
  command: "workbench.action.terminal.focus",
});

/**
 * Run a program in a terminal of its own, with exact arguments and no shell in between.
 *
 * @param step tells the terminals of different tasks apart.
 * @returns the exit code; undefined when the user ended the task, or the terminal did not start the
 *   program and says so itself.
 * @throws Problem in a workspace that is not trusted, where the editor runs no tasks.
 */
export async function runTask(
  step: string,
  title: string,
  [program, ...programArguments]: readonly [string, ...string[]],
): Promise<number | undefined> {
  if (!vscode.workspace.isTrusted) {
    throw new Problem(
      vscode.l10n.t("The editor runs no programs in a workspace that you do not trust."),
      vscode.l10n.t("Trust it, or open an empty window."),
      [{ title: vscode.l10n.t("Manage Workspace Trust"), command: "workbench.trust.manage" }],
    );
  }
  const task = new vscode.Task(
    { type: "tenstorrent", step },
    vscode.TaskScope.Global,
    title,
    "Tenstorrent",
    new vscode.ProcessExecution(program, programArguments, { cwd: os.homedir() }),
    [],
  );
  task.presentationOptions = {
    reveal: vscode.TaskRevealKind.Always,
    panel: vscode.TaskPanelKind.Dedicated,
    clear: true,
    showReuseMessage: false,
  };
  return waitForEnd(task);
}

async function waitForEnd(task: vscode.Task): Promise<number | undefined> {
  // A quick program may end before `executeTask` returns, so its end is kept until then.
  const ended = new Map<vscode.TaskExecution, number | undefined>();
  let wake: () => void = () => undefined;
  const listener = vscode.tasks.onDidEndTaskProcess(({ execution, exitCode }) => {
    ended.set(execution, exitCode);
    wake();
  });
  try {
    const execution = await vscode.tasks.executeTask(task);
    while (!ended.has(execution)) await new Promise<void>((resolve) => (wake = resolve));
    return ended.get(execution);
  } finally {
    listener.dispose();
  }
}
