import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";

test.use({ permissions: ["clipboard-read", "clipboard-write"] });

// One window, because the history belongs to it.
test("the results view, from an empty page to a history", async ({
  workbench,
  results,
}, testInfo) => {
  test.setTimeout(300_000);
  const cards = results.part("card");
  const server = workbench.statusItem("server");

  await test.step("opens the prompt box, and starts the server on request", async () => {
    await workbench.runCommand("Tenstorrent: Create the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    await workbench.runCommand("Tenstorrent: Test the API Server: Your Own Question");
    await expect(results.part("prompt")).toBeFocused();
    await results.part("start-server").click();
    await expect(results.part("server-state")).toContainText("ttdirect-demo", start);
  });

  await test.step("answers what is typed, with its line breaks and its figures", async () => {
    await results.part("prompt").fill("Write a haiku about the sea");
    await results.part("prompt").press("Control+Enter");
    await expect(cards).toHaveAttribute("data-status", "done", start);
    await expect(results.part("answer").locator("br")).toHaveCount(2);
    await expect(results.part("figures")).toContainText(/tokens/i);
    await keep(workbench.page, testInfo, "one-answer");
  });

  await test.step("copies a request as programs that work", async () => {
    const programs = {
      curl: ["bash", ["-c"]],
      python: [join(root, ".venv/bin/python"), ["-c"]],
      javascript: [process.execPath, ["--input-type=module", "--eval"]],
    } as const;
    const said = (await results.part("answer").innerText()).split("\n")[0] ?? "";
    for (const [language, [program, options]] of Object.entries(programs)) {
      await workbench.host.evaluate((vscode) => vscode.env.clipboard.writeText(""));
      await results.part(`copy-${language}`).click();
      const copied = (): Promise<string> =>
        workbench.host.evaluate((vscode) => vscode.env.clipboard.readText());
      await expect.poll(copied).toContain("/chat");
      const argv = [...options, await copied()];
      const printed = execFileSync(program, argv, { encoding: "utf8", stdio: "pipe" });
      expect(printed, language).toContain(said);
    }
  });

  await test.step("refuses a number out of range beside its field", async () => {
    await results.part("prompt").fill("Hello");
    await results.part("max-tokens").fill("5000");
    await results.part("ask").click();
    await expect(results.frame.getByText("1 to 2048")).toBeVisible();
    await expect(cards).toHaveCount(1);
    await results.part("max-tokens").fill("128");
  });

  await test.step("repeats a request, and draws the history", async () => {
    await results.part("repeat").click();
    await expect(cards).toHaveCount(2);
    await expect(cards.first()).toHaveAttribute("data-status", "done", start);
    await expect(results.part("chart")).toBeVisible();
  });

  await test.step("keeps everything over a reload", async () => {
    await workbench.reload();
    await expect(cards).toHaveCount(2);
    await expect(server).toContainText("ttdirect-demo");
    await keep(workbench.page, testInfo, "history");
  });

  await test.step("exports what it shows", async () => {
    await results.part("export").click();
    await expect(workbench.quickInput).toBeVisible();
    await workbench.page.keyboard.press("Enter");
    const exported = (): Promise<string> =>
      workbench.host.evaluate(async (vscode) => {
        const [file] = await vscode.workspace.findFiles("api-results.json");
        return file ? new TextDecoder().decode(await vscode.workspace.fs.readFile(file)) : "";
      });
    await expect.poll(exported).toContain('"prompt": "Write a haiku about the sea"');
  });

  await test.step("clears, and takes it back", async () => {
    await results.part("clear").click();
    await expect(cards).toHaveCount(0);
    await results.part("undo").click();
    await expect(cards).toHaveCount(2);
  });

  await test.step("tells the server's health in one line", async () => {
    await workbench.runCommand("Tenstorrent: Test the API Server: Health");
    await expect(workbench.notifications).toContainText("/health: healthy, in");
  });

  await test.step("restarts and stops from the status bar's menu", async () => {
    await server.click();
    await expect(workbench.quickInput).toContainText("Ask Several at Once");
    await workbench.pick("debug-restart");
    await expect(server).not.toContainText("ttdirect-demo");
    await expect(server).toContainText("ttdirect-demo", start);
    await server.click();
    await workbench.pick("debug-stop");
    await expect(server).toContainText("API server: stopped", start);
  });
});
