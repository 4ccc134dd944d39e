import { writeFile } from "node:fs/promises";
import { expect, test } from "../harness/fixtures";
import { commands, extensionId, inPalette } from "../harness/manifest";
import { keep } from "../harness/pictures";

const longestActivationMs = 200;

test("is installed, says nothing, and sleeps until it is needed", async ({ workbench }) => {
  const isActive = await workbench.host.evaluate(
    (vscode, id) => vscode.extensions.getExtension(id)?.isActive,
    extensionId,
  );
  expect(isActive).toBe(false);
  await expect(workbench.notifications).toHaveCount(0);
});

test("wakes up with its walkthrough", async ({ workbench, walkthrough }, testInfo) => {
  await walkthrough.open(workbench);
  await expect(walkthrough.step("machine")).toContainText("Check your machine");
  await expect
    .poll(() =>
      workbench.host.evaluate(
        (vscode, id) => vscode.extensions.getExtension(id)?.isActive,
        extensionId,
      ),
    )
    .toBe(true);
  await expect(workbench.notifications).toHaveCount(0);
  await keep(workbench.page, testInfo, "walkthrough");
});

test("offers every command in the palette", async ({ workbench }) => {
  for (const { category, title } of inPalette) {
    expect(category).toBe("Tenstorrent");
    await workbench.findCommand(`${category}: ${title}`);
    await expect(workbench.command(`${category}: ${title}`)).toBeVisible();
  }
});

test("is active at once, with every command registered", async ({ workbench }, testInfo) => {
  const { registered, milliseconds } = await workbench.host.evaluate(async (vscode, id) => {
    // The processor's time: a busy machine must not fail the test.
    const before = process.cpuUsage();
    await vscode.extensions.getExtension(id)?.activate();
    const { user, system } = process.cpuUsage(before);
    const milliseconds = (user + system) / 1000;
    return { registered: await vscode.commands.getCommands(true), milliseconds };
  }, extensionId);
  expect(registered).toEqual(expect.arrayContaining(commands.map(({ command }) => command)));
  expect(milliseconds).toBeLessThan(longestActivationMs);
  // What the editor itself has measured: to be read, not to be judged.
  await workbench.runCommand("Developer: Show Running Extensions");
  const running = workbench.page.locator(".runtime-extensions-editor .monaco-list-row");
  const ours = running.filter({ hasText: "TT Direct API" });
  await expect(ours).toContainText(/Activation: \d+ms/);
  const figures = `${await ours.innerText()}\n${milliseconds} ms of the processor\n`;
  await writeFile(testInfo.outputPath("activation.txt"), figures);
});
