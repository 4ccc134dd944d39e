import { execFileSync } from "node:child_process";
import { expect, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import type { Results } from "../pages/results";

const start = { timeout: 90_000 };

test.describe.configure({ mode: "serial" });
test.use({ permissions: ["clipboard-read", "clipboard-write"] });

async function ask(results: Results, prompt: string): Promise<void> {
  await results.part("prompt").fill(prompt);
  await results.part("ask").click();
}

test("starts the server from the view and answers what is typed", async ({
  workbench,
  results,
}, testInfo) => {
  test.setTimeout(180_000);
  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
  await workbench.runCommand("Tenstorrent: Test the API Server: Your Own Question");
  await expect(results.part("prompt")).toBeFocused();
  await results.part("start-server").click();
  await expect(results.part("server-state")).toContainText("ttdirect-demo", start);
  await ask(results, "Write a haiku about the sea");
  await expect(results.part("card")).toHaveAttribute("data-status", "done", start);
  await expect(results.part("answer").locator("br")).toHaveCount(2);
  await expect(results.part("figures")).toContainText(/tokens/i);
  await keep(workbench.page, testInfo, "one-answer");
});

test("copies a request as a command that works", async ({ workbench, results }) => {
  await workbench.runCommand("Tenstorrent: Show Results");
  await results.part("copy-curl").click();
  const read = (): Promise<string> =>
    workbench.host.evaluate((vscode) => vscode.env.clipboard.readText());
  await expect.poll(read).toContain("curl");
  const answer = execFileSync("bash", ["-c", await read()], { encoding: "utf8", stdio: "pipe" });
  expect(answer).toContain("tokens_per_second");
});

test("refuses a number out of range beside its field", async ({ workbench, results }) => {
  await workbench.runCommand("Tenstorrent: Show Results");
  await results.part("prompt").fill("Hello");
  await results.part("max-tokens").fill("5000");
  await results.part("ask").click();
  await expect(results.frame.getByText("2048")).toBeVisible();
  await expect(results.part("card")).toHaveCount(1);
});

test("repeats, shows the history as a chart, and keeps all over a reload", async ({
  workbench,
  results,
}, testInfo) => {
  await workbench.runCommand("Tenstorrent: Show Results");
  await results.part("repeat").first().click();
  await expect(results.part("card")).toHaveCount(2);
  await expect(results.part("card").first()).toHaveAttribute("data-status", "done", start);
  await expect(results.part("chart")).toBeVisible();
  await workbench.reload();
  await expect(results.part("card")).toHaveCount(2);
  await keep(workbench.page, testInfo, "history");
});

test("clears, and takes it back", async ({ workbench, results }) => {
  await workbench.runCommand("Tenstorrent: Show Results");
  await results.part("clear").click();
  await expect(results.part("card")).toHaveCount(0);
  await results.part("undo").click();
  await expect(results.part("card")).toHaveCount(2);
});

test("tells the server's health in one line", async ({ workbench }) => {
  await workbench.runCommand("Tenstorrent: Test the API Server: Health");
  await expect(workbench.notifications).toContainText("/health: healthy, in");
});

test("offers in the status bar what can be done now", async ({ workbench }) => {
  await workbench.statusItem("server").click();
  await expect(workbench.quickInput).toContainText("Ask Several at Once");
  await workbench.pick("Stop");
  await expect(workbench.statusItem("server")).toContainText("API server: stopped", start);
});
