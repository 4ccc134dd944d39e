import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, test } from "../harness/fixtures";

/** PyTorch is downloaded or copied, unpacked and imported. */
const install = { timeout: 400_000 };

// A Python that is no virtual environment, as on a newcomer's machine: the one behind ours.
const systemPython = execFileSync(
  join(root, ".venv/bin/python"),
  ["-c", "import sys; print(sys._base_executable)"],
  { encoding: "utf8" },
).trim();

test.use({
  editorOptions: {
    settings: {
      "tenstorrent.interpreter": systemPython,
      "tenstorrent.torchIndex": "",
      "tenstorrent.pipArguments": ["--constraint", join(root, "requirements/constraints.txt")],
    },
  },
});

test("installs everything into a virtual environment of its own", async ({
  workbench,
  walkthrough,
  editor,
}) => {
  test.setTimeout(480_000);
  await workbench.runCommand("Tenstorrent: Open the Walkthrough");
  await walkthrough.press("install");
  await expect(workbench.dialog).toContainText("virtual environment");
  await workbench.button(workbench.dialog, "Create a Virtual Environment").click();
  await walkthrough.expectTicked("install", install);
  const python = join(editor.home, ".tt-direct-api/venv/bin/python");
  const imported = execFileSync(python, ["-c", "import flask, ttdirect.generator; print('ok')"], {
    encoding: "utf8",
  });
  expect(imported.trim()).toBe("ok");
  await expect(workbench.notifications).toHaveCount(0);

  await workbench.runCommand("Tenstorrent: Check Your Machine");
  await expect(workbench.quickInput).toContainText(python);
  await workbench.closeQuickInput();
});

test("chooses another model, and checks a folder before it takes it", async ({
  workbench,
  editor,
}) => {
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await expect(workbench.quickInput).toContainText("ships");
  await workbench.closeQuickInput();
  await workbench.runCommand("Tenstorrent: Choose the Python Interpreter");
  await expect(workbench.quickInput).toContainText(join(editor.home, ".tt-direct-api"));
  await workbench.closeQuickInput();
});
