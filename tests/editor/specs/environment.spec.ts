import { execFileSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";
import type { Workbench } from "../pages/workbench";

/** PyTorch is downloaded or copied, unpacked and imported. */
const install = { timeout: 400_000 };

// A Python that is no virtual environment, as on a newcomer's machine: the one behind ours.
const systemPython = execFileSync(
  join(root, ".venv/bin/python"),
  ["-c", "import sys; print(sys._base_executable)"],
  { encoding: "utf8" },
).trim();

const pipArguments = ["--constraint", join(root, "requirements/constraints.txt")];

test.use({
  editorOptions: {
    settings: {
      "tenstorrent.interpreter": systemPython,
      "tenstorrent.torchIndex": "",
      "tenstorrent.pipArguments": pipArguments,
    },
    // A model of the hub is not to be downloaded here.
    env: { HF_HUB_OFFLINE: "1" },
  },
});

test.describe.configure({ mode: "serial" });

async function set(workbench: Workbench, name: string, value: unknown): Promise<void> {
  await workbench.host.evaluate(
    async (vscode, { name, value }) => {
      const target = vscode.ConfigurationTarget.Global;
      await vscode.workspace.getConfiguration("tenstorrent").update(name, value, target);
    },
    { name, value },
  );
}

function modelOf(workbench: Workbench): Promise<unknown> {
  return workbench.host.evaluate((vscode) =>
    vscode.workspace.getConfiguration("tenstorrent").get("model"),
  );
}

test("an index that cannot be reached is told, and ticks nothing", async ({
  workbench,
  walkthrough,
}) => {
  test.setTimeout(240_000);
  const nowhere = ["--index-url", "http://127.0.0.1:1/simple", "--retries", "0"];
  await set(workbench, "pipArguments", nowhere);
  await walkthrough.open(workbench);
  await workbench.runCommand("Tenstorrent: Install Flask and ttdirect");
  await expect(workbench.dialog).toContainText("virtual environment");
  await workbench.button(workbench.dialog, "Create a Virtual Environment").click();
  const message = workbench.notifications.filter({ hasText: "cannot be reached" });
  await expect(message).toContainText("The packages were not installed", start);
  await expect(workbench.button(message, "Try Again")).toBeVisible();
  await workbench.button(message, "Open Settings").click();
  await expect(workbench.page.locator(".settings-editor")).toContainText("Pip Arguments");
  await workbench.page.keyboard.press("Escape"); // they lie over the page
  await expect(workbench.page.locator(".settings-editor")).toBeHidden();
  await walkthrough.open(workbench);
  await walkthrough.expectNotTicked("install");
  await set(workbench, "pipArguments", pipArguments);
});

test("installs everything into a virtual environment of its own, and serves from it", async ({
  workbench,
  walkthrough,
  results,
  editor,
}) => {
  test.setTimeout(600_000);
  await walkthrough.open(workbench);
  await walkthrough.press("install");
  await walkthrough.expectTicked("install", install);
  const python = join(editor.home, ".tt-direct-api/venv/bin/python");
  const where = "import flask, ttdirect.generator; print(ttdirect.__file__)";
  const imported = execFileSync(python, ["-c", where], { encoding: "utf8" });
  // The wheel from the VSIX, not this checkout.
  expect(imported).toContain(join(editor.home, ".tt-direct-api/venv/lib"));

  await workbench.runCommand("Tenstorrent: Check Your Machine");
  await expect(workbench.quickInput).toContainText(python);
  await workbench.closeQuickInput();

  await walkthrough.press("ask");
  await workbench.button(workbench.notifications, "Start the Server").click();
  await expect(results.part("answer")).toContainText("find patterns in examples", start);
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(workbench.statusItem("server")).toContainText("API server: stopped", start);
  await expect(workbench.notifications).toHaveCount(0);
});

test("offers the environment that it has created", async ({ workbench, editor }) => {
  await workbench.runCommand("Tenstorrent: Choose the Python Interpreter");
  await expect(workbench.quickInput).toContainText(join(editor.home, ".tt-direct-api"));
  await expect(workbench.quickInput).toContainText("a virtual environment");
  await workbench.closeQuickInput();
});

test("checks a folder before it takes it as the model", async ({ workbench, editor }) => {
  const folder = join(await editor.workspace("workspace"), "checkpoint");
  await mkdir(folder);
  await writeFile(join(folder, "config.json"), "{}");
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await workbench.pick("folder");
  await workbench.chooseFolder("checkpoint");
  await expect(workbench.notifications).toContainText(`${folder} has no tokenizer`);
});

test("keeps the hub's token secret, and hands it to the server alone", async ({
  workbench,
  editor,
}) => {
  const token = "hf_NobodyShouldSeeThis";
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await workbench.pick("cloud-download");
  await expect(workbench.quickInput).toContainText("as owner/name");
  await workbench.typeIntoQuickInput("no-such-owner/no-such-model");
  await workbench.page.keyboard.press("Enter");
  await workbench.pick("Enter a Hugging Face token");
  await expect(workbench.quickInput).toContainText("secret storage");
  await workbench.typeIntoQuickInput(token);
  await workbench.page.keyboard.press("Enter");
  // It cannot be downloaded, so the model stays as it was; the token is kept.
  const refusal = workbench.notifications.filter({ hasText: "the hub cannot be reached" });
  await expect(workbench.button(refusal, "Try Again")).toBeVisible(start);
  expect(await modelOf(workbench)).toBe("demo");
  await workbench.button(refusal, "Choose Another Model").click();
  await workbench.closeQuickInput();
  await set(workbench, "model", "no-such-owner/no-such-model");

  await workbench.runCommand("Tenstorrent: Start the API Server");
  const message = workbench.notifications.filter({ hasText: "no-such-owner/no-such-model" });
  await expect(workbench.button(message, "Choose a Model")).toBeVisible(start);
  const given = await workbench.host.evaluate((vscode) =>
    vscode.window.terminals.map(({ creationOptions }) =>
      "env" in creationOptions ? creationOptions.env["HF_TOKEN"] : undefined,
    ),
  );
  expect(given).toContain(token);
  for (const file of editor.settingsFiles()) {
    expect(await readFile(file, "utf8")).not.toContain(token);
  }
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await workbench.pick("trash");
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await expect(workbench.quickInput).toContainText("no-such-owner/no-such-model");
  await expect(workbench.quickInput).not.toContainText("Remove the Hugging Face token");
  await workbench.pick("package");
});
