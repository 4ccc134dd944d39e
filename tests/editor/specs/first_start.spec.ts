import { expect, test } from "../harness/fixtures";
import { commands, extensionId, inPalette } from "../harness/manifest";
import { keep } from "../harness/pictures";

const longestActivationMs = 500;

test("is installed, and says nothing", async ({ workbench }) => {
  const installed = await workbench.host.evaluate(
    (vscode, id) => vscode.extensions.getExtension(id) !== undefined,
    extensionId,
  );
  expect(installed).toBe(true);
  // It may be awake: the box of the editor's chat is plain text, and wakes it.
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

test("is active within half a second, with every command registered", async ({ workbench }) => {
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
});
