import * as vscode from "vscode";
import { settings as names } from "../ids";
import { openSettings, perform } from "../problem";
import { isWritingSetting, portProblem } from "../settings";
import type { Server } from "./server";
import { isUp } from "./state";

/** Those that a server reads when it starts, and never again. */
const readAtStart = [names.model, names.port, names.scriptPath, names.interpreter];

/** What follows when somebody edits the settings by hand: a restart is offered, a slip is told. */
export function attendSettings(
  server: Pick<Server, "state" | "restart">,
  log: Pick<vscode.LogOutputChannel, "warn" | "error">,
): vscode.Disposable {
  let isOffering = false;
  let told: string | undefined;

  const offerRestart = async (): Promise<void> => {
    isOffering = true;
    try {
      const restart = vscode.l10n.t("Restart");
      const chosen = await vscode.window.showInformationMessage(
        vscode.l10n.t("The API server uses the settings that it was started with."),
        restart,
      );
      if (chosen === restart && isUp(server.state)) await server.restart();
    } finally {
      isOffering = false;
    }
  };

  const checkPort = (): void => {
    const problem = portProblem();
    if (problem !== undefined && problem !== told) {
      log.warn(problem);
      const open = openSettings("tenstorrent.port");
      void vscode.window.showWarningMessage(problem, open.title).then((chosen) => {
        if (chosen === open.title) void perform(open);
      });
    }
    told = problem;
  };

  checkPort();
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(`tenstorrent.${names.port}`)) checkPort();
    const concerns = readAtStart.some((name) => event.affectsConfiguration(`tenstorrent.${name}`));
    if (!concerns || isOffering || isWritingSetting() || !isUp(server.state)) return;
    offerRestart().catch((error: unknown) => log.error(String(error)));
  });
}
