import { expect, start, test } from "../harness/fixtures";
import { Workbench } from "../pages/workbench";

test("two windows share one server, and both know when it ends", async ({
  workbench,
  editor,
  context,
}) => {
  test.setTimeout(240_000);
  const second = await Workbench.open(editor, await context.newPage(), "second");
  await second.runCommand("Tenstorrent: Show Results");
  await expect(second.statusItem("server")).toContainText("API server: stopped");

  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
  await expect(second.statusItem("server")).toContainText("ttdirect-demo");

  // Starting again uses the server that is there, and its terminal stays with the first window.
  await second.runCommand("Tenstorrent: Start the API Server");
  await second.runCommand("Tenstorrent: Show the Server's Terminal");
  await expect(second.notifications).toContainText("started in another window");

  await second.runCommand("Tenstorrent: Stop the API Server");
  await expect(second.statusItem("server")).toContainText("API server: stopped", start);
  await expect(workbench.statusItem("server")).toContainText("API server: stopped");
  await expect(workbench.notifications).toHaveCount(0);
});
