import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { walkthroughId } from "../ids";

const open = "workbench.action.openWalkthrough";
const title = "An HTTP API around a language model";

/**
 * Open the walkthrough.
 *
 * The first call in a window can open the editor's own walkthrough instead of ours, because ours
 * is registered a moment later (github.com/microsoft/vscode/issues/187958). A second call puts
 * that right. The wrong page is closed before, or ours would inherit its title.
 */
export async function openWalkthrough(): Promise<void> {
  await vscode.commands.executeCommand(open, walkthroughId, false);
  await sleep(300);
  const page = await openedPage();
  if (page && page.label !== "Welcome" && !page.label.endsWith(title)) {
    await vscode.window.tabGroups.close(page);
  }
  await vscode.commands.executeCommand(open, walkthroughId, false);
}

/** The tab that the editor shows walkthroughs in; this host hears of a new tab a little later. */
async function openedPage(): Promise<vscode.Tab | undefined> {
  for (let waited = 0; waited < 2000; waited += 100) {
    const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
    if (tab && /^(Welcome$|Walkthrough: )/.test(tab.label)) return tab;
    await sleep(100);
  }
  return undefined;
}
