import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { freePort } from "../harness/editor";
import { expect, start, test } from "../harness/fixtures";
import type { Workbench } from "../pages/workbench";

/** A hub on this computer, with the shipped model under another name. */
const hubPort = await freePort();
const hub = `http://127.0.0.1:${hubPort}`;
const model = "acme/tiny";
const token = "hf_NobodyShouldSeeThis";
const key = "opensesame-and-more";

test.use({
  editorOptions: {
    env: { HF_ENDPOINT: hub, SOME_API_KEY: key, HF_TOKEN: token },
    settings: { "tenstorrent.pipArguments": ["--extra-index-url", `https://${key}@127.0.0.1/`] },
  },
});
test.describe.configure({ mode: "serial" });

let process_: ChildProcess;

test.beforeAll(async () => {
  const python = join(root, ".venv/bin/python");
  const checkpoint = join(root, "backend/ttdirect/demo_model/checkpoint");
  const script = join(root, "tests/python/cli/fake_hub.py");
  process_ = spawn(python, [script, checkpoint, String(hubPort)], { stdio: ["ignore", "pipe"] });
  if (process_.stdout) await once(process_.stdout, "data"); // its address: it listens
});

test.afterAll(async () => {
  const ended = once(process_, "exit");
  process_.kill();
  await ended;
});

/** Let downloads wait in the middle, or go on. */
async function tellHub(order: "hold" | "release"): Promise<void> {
  await fetch(`${hub}/${order}`, { method: "POST" });
}

async function chooseFromHub(workbench: Workbench): Promise<void> {
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await workbench.pick("cloud-download");
  await expect(workbench.quickInput).toContainText("as owner/name");
  await workbench.typeIntoQuickInput(model);
  await expect(workbench.quickInput.locator("input")).toHaveValue(model);
  await workbench.page.keyboard.press("Enter");
  await workbench.pick("No Hugging Face token");
}

test("a model is found, downloaded in two goes, and switched to", async ({
  workbench,
}, testInfo) => {
  test.setTimeout(240_000);
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await expect(workbench.quickInput).toContainText("HuggingFaceTB/SmolLM2-135M-Instruct");
  await expect(workbench.quickInput).toContainText("269 MB to download");
  await expect(workbench.quickInput).toContainText(/Needs \d+ MiB of the .+ that are free/);
  await workbench.page.screenshot({ path: testInfo.outputPath("models.png") });
  await workbench.closeQuickInput();

  await tellHub("hold");
  await chooseFromHub(workbench);
  const download = workbench.notifications.filter({ hasText: `Downloading ${model}` });
  await expect(download).toContainText(/[1-9][\d.]* MB of [\d.]+ MB/, start);
  await workbench.page.screenshot({ path: testInfo.outputPath("download.png") });
  await workbench.button(download, "Cancel").click();
  await expect(download).toHaveCount(0);
  await tellHub("release");

  await chooseFromHub(workbench);
  const message = workbench.notifications.filter({ hasText: `It loads ${model}` });
  await expect(message).toContainText("The server is stopped", start);
  await workbench.page.screenshot({ path: testInfo.outputPath("stopped.png") });
  await workbench.button(message, "Start the Server").click();
  const question = workbench.notifications.filter({ hasText: "script does not exist" });
  await workbench.button(question, "Set Up and Start").click();
  const server = workbench.statusItem("server");
  await expect(server).toContainText("API server: tiny", start);

  // With a server that runs, the switch is one click and a restart.
  await workbench.runCommand("Tenstorrent: Choose the Model");
  await expect(workbench.quickInput).toContainText("On this computer");
  await workbench.pick("package");
  await expect(server).toContainText("ttdirect-demo", start);
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(server).toContainText("API server: stopped", start);
});

test("a problem is reported without secrets", async ({ workbench, editor }, testInfo) => {
  test.setTimeout(120_000);
  // Something for the log of this window.
  await workbench.host.evaluate((vscode) =>
    vscode.commands.executeCommand("tenstorrent.stopApiServerDirect"),
  );
  await expect(workbench.notifications).toContainText("The server is not running");
  await workbench.runCommand("Tenstorrent: Report a Problem");
  const text = () =>
    workbench.host.evaluate((vscode) => vscode.window.activeTextEditor?.document.getText() ?? "");
  await expect.poll(text, start).toContain("# TT Direct API: a problem");
  const report = await text();
  await workbench.page.screenshot({ path: testInfo.outputPath("report.png") });
  expect(report).toContain("- editor: ");
  expect(report).toMatch(/- Python: 3\.\d+/);
  expect(report).toContain("== Checks");
  expect(report).toContain("HF_TOKEN=(set, not shown)");
  expect(report).toContain("[error] The server is not running.");
  expect(report).toContain('"tenstorrent.port"');
  expect(report).toContain("https://***@127.0.0.1/");
  for (const secret of [token, key, editor.home]) {
    expect(report).not.toContain(secret);
  }
});
