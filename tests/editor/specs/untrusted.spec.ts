import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { Workbench } from "../pages/workbench";

test.use({
  editorOptions: {
    asksForTrust: true,
    settings: { "security.workspace.trust.startupPrompt": "never" },
  },
});

const python = join(root, ".venv/bin/python");

test("a workspace that nobody trusts chooses no program, and that is said", async ({
  editor,
  page,
}, testInfo) => {
  const folder = await editor.workspace("found", {
    // A Python of theirs, which leaves a trace.
    python: `#!/bin/sh\ntouch "$(dirname "$0")/ran"\nexec '${python}' "$@"\n`,
    ".vscode/settings.json": JSON.stringify({
      "tenstorrent.interpreter": "${workspaceFolder}/python",
      "tenstorrent.scriptPath": "${workspaceFolder}/theirs.py",
      "tenstorrent.model": "their/model",
    }),
  });
  await chmod(join(folder, "python"), 0o755);
  const ran = (): boolean => existsSync(join(folder, "ran"));
  const workbench = await Workbench.open(editor, page, "found");
  const { quickInput } = workbench;

  await test.step("its settings for programs, script and model do not count", async () => {
    await workbench.runCommand("Tenstorrent: Check Your Machine");
    await expect(quickInput).toContainText("Your machine", start);
    await expect(quickInput).toContainText(python);
    await expect(quickInput).toContainText("The small model that ships");
    await expect(quickInput).not.toContainText("theirs.py");
    await workbench.closeQuickInput();
    expect(ran()).toBe(false);
  });

  await test.step("the extension's own page says so", async () => {
    await workbench.runCommand("Extensions: Show Installed Extensions");
    const ours = page.locator(".part.sidebar .monaco-list-row", { hasText: "TT Direct API" });
    await ours.click();
    await expect(page.locator(".extension-editor")).toContainText(
      "its settings cannot choose which programs run",
    );
    await keep(page, testInfo, "untrusted");
  });

  await test.step("with its user's trust they count", async () => {
    await workbench.runCommand("Workspaces: Manage Workspace Trust");
    await page.locator(".workspace-trust-editor a.monaco-button", { hasText: /^Trust$/ }).click();
    await expect(page.locator(".workspace-trust-editor")).toContainText("You trust this folder");
    await workbench.runCommand("Tenstorrent: Check Your Machine");
    await expect(quickInput).toContainText(join(folder, "python"), start);
    await expect(quickInput).toContainText("their/model");
    expect(ran()).toBe(true);
  });
});
