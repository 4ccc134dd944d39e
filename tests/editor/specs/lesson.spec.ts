import { expect, start, test } from "../harness/fixtures";

test("leads a newcomer from the first click to production", async ({
  workbench,
  walkthrough,
  terminal,
  results,
  editor,
}) => {
  test.setTimeout(300_000);
  const server = workbench.statusItem("server");
  await workbench.runCommand("Tenstorrent: Open the Walkthrough");
  await expect(walkthrough.step("machine")).toBeVisible();
  await expect(server).toContainText("API server: stopped");

  await test.step("check the machine", async () => {
    await walkthrough.press("machine");
    await expect(workbench.quickInput).toContainText("Your machine");
    await expect(workbench.quickInput).toContainText("The setting tenstorrent.interpreter says so");
    await workbench.closeQuickInput();
    await walkthrough.expectTicked("machine");
    await walkthrough.expectUnfolded("install");
    await walkthrough.select("machine");
    await expect(walkthrough.media().locator("img").first()).toBeVisible();
  });

  await test.step("install", async () => {
    await walkthrough.press("install");
    await walkthrough.expectTicked("install", start);
  });

  await test.step("create the script", async () => {
    await walkthrough.press("create");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    const executable = await workbench.host.evaluate(async (_, home) => {
      const { stat } = await import("node:fs/promises");
      return (await stat(`${home}/tt-api-server-direct.py`)).mode & 0o111;
    }, editor.home);
    expect(executable).not.toBe(0);
    await workbench.runCommand("Tenstorrent: Open the Walkthrough");
    await walkthrough.expectTicked("create");
  });

  await test.step("start the server", async () => {
    await walkthrough.press("start");
    await walkthrough.expectTicked("start", start);
    await expect(server).toContainText("ttdirect-demo");
    await expect.poll(() => terminal.text()).toContain(`ready on http://127.0.0.1:${editor.port}`);
  });

  await test.step("ask one question", async () => {
    await walkthrough.press("ask");
    await expect(results.part("answer")).toContainText("find patterns in examples", start);
    await expect(results.part("figures")).toContainText("tokens/s", { ignoreCase: true });
  });

  await test.step("ask three at once", async () => {
    await walkthrough.press("batch");
    await expect(results.part("card")).toHaveCount(4);
    await expect(results.part("timeline-text").first()).toContainText("3 answers in", start);
    await expect(server).not.toContainText("running");
  });

  await test.step("serve it with gunicorn", async () => {
    await workbench.runCommand("Tenstorrent: Open the Walkthrough");
    await walkthrough.expectTicked("ask");
    await walkthrough.expectTicked("batch");
    await walkthrough.press("production");
    await walkthrough.expectTicked("production", start);
    await expect.poll(() => terminal.text()).toContain("-m gunicorn -w 1");
  });

  await test.step("the ticks survive a reload, and the server is found again", async () => {
    await workbench.reload();
    await expect(results.part("card")).toHaveCount(4);
    await workbench.runCommand("Tenstorrent: Open the Walkthrough");
    for (const step of ["machine", "install", "create", "start", "ask", "batch", "production"]) {
      await walkthrough.expectTicked(step);
    }
    await expect(server).toContainText("ttdirect-demo");
  });

  await test.step("a reset takes the ticks away, and success brings them back", async () => {
    await workbench.runCommand("Tenstorrent: Reset the Walkthrough");
    await walkthrough.expectNotTicked("machine");
    await walkthrough.expectNotTicked("production");
    await walkthrough.press("machine");
    await expect(workbench.quickInput).toContainText("Your machine");
    await workbench.closeQuickInput();
    await walkthrough.expectTicked("machine");
  });

  await test.step("stop", async () => {
    await workbench.runCommand("Tenstorrent: Stop the API Server");
    await expect(server).toContainText("API server: stopped", start);
  });

  // Every pop-up would have been one that nobody asked for.
  await expect(workbench.notifications).toHaveCount(0);
});
