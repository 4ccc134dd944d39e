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

const start = entry("play", "Start", commands.start);
const startWithGunicorn = entry("rocket", "Start with gunicorn", commands.startWithGunicorn);
const stop = entry("debug-stop", "Stop", commands.stop);
const restart = entry("debug-restart", "Restart", commands.restart);
const terminal = entry("terminal", "Show the Terminal", commands.showServerTerminal);

const always: readonly Entry[] = [
  { label: "", kind: vscode.QuickPickItemKind.Separator },
  entry("graph", "Show Results", commands.showResults),
  entry("dashboard", "Show the Dashboard", commands.showDashboard),
  entry("split-horizontal", "Compare Answers", commands.compare),
  entry("go-to-file", "Open the Script", commands.openScript),
  entry("package", "Choose the Model", commands.chooseModel),
  entry("checklist", "Check Your Machine", commands.checkMachine),
  entry("mortar-board", "Open the Walkthrough", commands.openWalkthrough),
];

/** What can be done with a server in a state, the likeliest first. */
export function entriesFor(state: ServerState): readonly Entry[] {
  switch (state.kind) {
    case "stopped":
      return [start, startWithGunicorn, ...always];
    case "failed":
      return [start, terminal, ...always];
    case "starting":
    case "loading":
      return [stop, terminal, ...always];
    case "stopping":
      return [terminal, ...always];
    case "ready":
      return [
        entry("comment-discussion", "Ask One Question", commands.testBasic),
        entry("layers", "Ask Several at Once", commands.testMultiple),
        entry("edit", "Ask Your Own Question", commands.testCustom),
        entry("pulse", "Check Its Health", commands.testHealth),
        stop,
        restart,
        terminal,
        ...always,
      ];
  }
}

/** Offer what can be done with the server now. */
export async function showServerMenu(state: ServerState): Promise<void> {
  const chosen = await vscode.window.showQuickPick(entriesFor(state), {
    title: describe(state).text,
    placeHolder: "What do you want to do?",
  });
  if (chosen?.command) await vscode.commands.executeCommand(chosen.command);
}
