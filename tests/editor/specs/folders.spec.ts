import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, start, test } from "../harness/fixtures";
import { Workbench } from "../pages/workbench";

test("of a workspace's folders the first chooses for the one server", async ({ editor, page }) => {
  test.setTimeout(180_000);
  const settings = (values: object): Record<string, string> => ({
    ".vscode/settings.json": JSON.stringify(values),
    "notes.txt": "Notes.\n",
  });
  const first = await editor.workspace(
    "first",
    settings({ "tenstorrent.scriptPath": "${workspaceFolder}/server.py" }),
  );
  const second = await editor.workspace(
    "second",
    settings({
      "tenstorrent.scriptPath": "${workspaceFolder}/other.py",
      "tenstorrent.model": "/no/such/model",
    }),
  );
  const workbench = await Workbench.openTogether(editor, page, ["first", "second"]);
  const server = workbench.statusItem("server");

  // Also while somebody looks at a file of the second one.
  await workbench.host.evaluate(
    async (vscode, file) => {
      await vscode.window.showTextDocument(vscode.Uri.file(file));
    },
    join(second, "notes.txt"),
  );
  await expect(workbench.tab("notes.txt")).toBeVisible();
  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.tab("server.py")).toBeVisible(start);
  expect(existsSync(join(first, "server.py"))).toBe(true);
  expect(existsSync(join(second, "other.py"))).toBe(false);

  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(server).toContainText("ttdirect-demo", start);
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(server).toContainText("API server: stopped", start);
  await expect(workbench.notifications).toHaveCount(0);
});
