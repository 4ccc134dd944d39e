import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { plainEnvironment } from "../harness/editor";
import { expect, start, test } from "../harness/fixtures";
import type { Workbench } from "../pages/workbench";

const key = "only-the-server-knows-it";

async function enter(workbench: Workbench, text: string): Promise<void> {
  const box = workbench.quickInput.locator("input[type=password]");
  await expect(workbench.quickInput).toContainText("The Server's Key");
  await box.fill(text);
  await expect(box).toHaveValue(text);
  await workbench.page.keyboard.press("Enter");
  await expect(workbench.quickInput).toBeHidden();
}

test("a server that wants a key gets it from its user, and answers", async ({
  workbench,
  results,
  editor,
}) => {
  const python = join(root, ".venv/bin/python");
  const script = join(editor.home, "tt-api-server-direct.py");
  const options = { env: plainEnvironment(), stdio: "ignore" } as const;
  execFileSync(
    python,
    ["-m", "ttdirect", "create", "--device", "cpu", "--output", script],
    options,
  );
  // Somebody else's terminal has the key; the editor does not.
  const server = spawn(python, [script, "--port", String(editor.port)], {
    env: { ...options.env, HOME: editor.home, TTDIRECT_API_KEY: key },
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    await workbench.runCommand("Tenstorrent: Show Results"); // wakes the extension
    await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
    const card = results.part("card").first();
    const wanted = workbench.notifications.filter({ hasText: "wants a key" });

    await test.step("is offered to enter it when the first question is refused", async () => {
      await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
      await expect(card).toHaveAttribute("data-status", "failed", start);
      await expect(results.part("error").first()).toContainText("Enter the Server's Key");
      await workbench.button(wanted, "Enter the Server's Key").click();
      await enter(workbench, "a-slip-of-the-pen");
    });

    await test.step("is told that it was a wrong one", async () => {
      await results.part("repeat").first().click();
      await expect(results.part("card")).toHaveCount(2);
      await expect(card).toHaveAttribute("data-status", "failed", start);
      await expect(wanted).toContainText("another one");
    });

    await test.step("enters the right one by the palette, and is answered", async () => {
      await workbench.runCommand("Tenstorrent: Enter the Server's Key");
      await enter(workbench, key);
      await results.part("repeat").first().click();
      await expect(results.part("card")).toHaveCount(3);
      await expect(card).toHaveAttribute("data-status", "done", start);
      await expect(results.part("answer").first()).toContainText("find patterns in examples");
    });
  } finally {
    server.kill();
    await ended;
  }
});
