import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { walkthroughId } from "../ids";

const open = "workbench.action.openWalkthrough";
let hasOpened = false;

/**
 * Open the walkthrough.
 *
 * The first call in a window can open the editor's own walkthrough instead of ours, because ours
 * is registered a moment later (github.com/microsoft/vscode/issues/187958). A second call puts
 * that right. The first page is closed before, or ours would inherit its title.
 */
export async function openWalkthrough(): Promise<void> {
  await vscode.commands.executeCommand(open, walkthroughId, false);
  if (hasOpened) return;
  hasOpened = true;
  await sleep(300);
  const page = vscode.window.tabGroups.activeTabGroup.activeTab;
  // As the editor calls its page, which is English where it lacks its own language pack.
  const welcome = ["Welcome", vscode.l10n.t("Welcome")];
  if (page && welcome.includes(page.label)) await vscode.window.tabGroups.close(page);
  await vscode.commands.executeCommand(open, walkthroughId, false);
}
