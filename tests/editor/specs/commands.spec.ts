import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";

test("a server started by hand is found, used and stopped", async ({
  workbench,
  results,
  editor,
}) => {
  test.setTimeout(240_000);
  const server = workbench.statusItem("server");
  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
  const script = join(editor.home, "tt-api-server-direct.py");
  const byHand = spawn(join(root, ".venv/bin/python"), [script, "--port", String(editor.port)], {
    env: { ...process.env, HOME: editor.home },
    stdio: "ignore",
  });
  const ended = new Promise<number | null>((resolve) => byHand.once("exit", resolve));
  try {
    await expect(server).toContainText("ttdirect-demo", start);
    await workbench.runCommand("Tenstorrent: Start the API Server");
    await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
    await expect(results.part("answer")).toContainText("find patterns in examples", start);
    await workbench.runCommand("Tenstorrent: Stop the API Server");
    await expect(server).toContainText("API server: stopped", start);
    expect(await ended).toBe(0);
  } finally {
    byHand.kill("SIGKILL");
  }
  await expect(workbench.notifications).toHaveCount(0);
});

test("every other command does what its title says", async ({ workbench, terminal }) => {
  test.setTimeout(240_000);
  const server = workbench.statusItem("server");

  await workbench.runCommand("Tenstorrent: Open the API Server Script");
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
  const line = await workbench.host.evaluate(async (vscode) => {
    await vscode.commands.executeCommand("tenstorrent.openApiScriptDirect", 4);
    const opened = vscode.window.activeTextEditor;
    return opened?.document.lineAt(opened.selection.active.line).text;
  });
  expect(line).toBe("# 4. The routes");

  await workbench.runCommand("Tenstorrent: Choose the Model");
  await expect(workbench.quickInput).toContainText("ships");
  await workbench.closeQuickInput();

  await workbench.runCommand("Tenstorrent: API Server Menu");
  await expect(workbench.quickInput).toContainText("Start with gunicorn");
  await workbench.closeQuickInput();

  await workbench.runCommand("Tenstorrent: Restart the API Server");
  await expect(server).toContainText("ttdirect-demo", start);

  await workbench.runCommand("Tenstorrent: Start the API Server with gunicorn");
  await expect(server).not.toContainText("ttdirect-demo");
  await expect(server).toContainText("ttdirect-demo", start);

  await workbench.runCommand("Tenstorrent: Show the Extension's Log");
  await expect(workbench.page.locator(".part.panel .view-lines")).toContainText("Server ready");
  await workbench.runCommand("Tenstorrent: Show the Server's Terminal");
  await expect.poll(() => terminal.text()).toContain("-m gunicorn");

  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(server).toContainText("API server: stopped", start);
  await expect(workbench.notifications).toHaveCount(0);
});
