import * as vscode from "vscode";
import { commands } from "../ids";
import type { Server } from "../server/server";
import { describe } from "./description";

/** One item that tells the server's state at a glance; a click offers what can be done. */
export function statusBarItem(server: Server): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("server", vscode.StatusBarAlignment.Left, 10);
  item.name = vscode.l10n.t("API Server");
  item.command = commands.serverMenu;
  const show = (): void => {
    const { icon, text, tooltip } = describe(server.state);
    item.text = `$(${icon}) ${text}`;
    item.tooltip = new vscode.MarkdownString(tooltip);
    item.accessibilityInformation = { label: text };
  };
  show();
  item.show();
  return vscode.Disposable.from(item, server.onDidChangeState(show));
}
