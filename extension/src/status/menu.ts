import * as vscode from "vscode";
import { commands } from "../ids";
import type { ServerState } from "../server/state";
import { describe } from "./description";

interface Entry extends vscode.QuickPickItem {
  readonly command?: string;
}

const entry = (icon: string, title: string, command: string): Entry => ({
  label: `$(${icon}) ${title}`,
  command,
});

/** What can be done with a server in a state, the likeliest first. */
export function entriesFor(state: ServerState): readonly Entry[] {
  return [...fitting(state), ...always()];
}

function fitting(state: ServerState): readonly Entry[] {
  const start = entry("play", vscode.l10n.t("Start"), commands.start);
  const stop = entry("debug-stop", vscode.l10n.t("Stop"), commands.stop);
  const terminal = entry(
    "terminal",
    vscode.l10n.t("Show the Terminal"),
    commands.showServerTerminal,
  );
  switch (state.kind) {
    case "stopped":
      return [
        start,
        entry("rocket", vscode.l10n.t("Start with gunicorn"), commands.startWithGunicorn),
      ];
    case "failed":
      return [start, terminal];
    case "starting":
    case "loading":
      return [stop, terminal];
    case "stopping":
      return [terminal];
    case "ready":
      return [
        entry("comment-discussion", vscode.l10n.t("Ask One Question"), commands.testBasic),
        entry("layers", vscode.l10n.t("Ask Several at Once"), commands.testMultiple),
        entry("edit", vscode.l10n.t("Ask Your Own Question"), commands.testCustom),
        entry("pulse", vscode.l10n.t("Check Its Health"), commands.testHealth),
        stop,
        entry("debug-restart", vscode.l10n.t("Restart"), commands.restart),
        terminal,
      ];
  }
}

function always(): readonly Entry[] {
  return [
    { label: "", kind: vscode.QuickPickItemKind.Separator },
    entry("graph", vscode.l10n.t("Show Results"), commands.showResults),
    entry("dashboard", vscode.l10n.t("Show the Dashboard"), commands.showDashboard),
    entry("split-horizontal", vscode.l10n.t("Compare Answers"), commands.compare),
    entry("go-to-file", vscode.l10n.t("Open the Script"), commands.openScript),
    entry("package", vscode.l10n.t("Choose the Model"), commands.chooseModel),
    entry("checklist", vscode.l10n.t("Check Your Machine"), commands.checkMachine),
    entry("mortar-board", vscode.l10n.t("Open the Walkthrough"), commands.openWalkthrough),
  ];
}

/** Offer what can be done with the server now. */
export async function showServerMenu(state: ServerState): Promise<void> {
  const chosen = await vscode.window.showQuickPick(entriesFor(state), {
    title: describe(state).text,
    placeHolder: vscode.l10n.t("What do you want to do?"),
  });
  if (chosen?.command) await vscode.commands.executeCommand(chosen.command);
}
