import type { Locator, Page } from "@playwright/test";
import { expect, start, test } from "../harness/fixtures";
import { type Clip, shot } from "../harness/pictures";
import { setTheme, themes } from "../harness/themes";
import { Chat } from "../pages/chat";
import { ServerView } from "../pages/serverView";
import { Webview } from "../pages/webview";
import type { Workbench } from "../pages/workbench";

// The port is the one that users see. No picture shows a terminal or a path: they would tell whose
// computer took it.
test.use({
  editorOptions: { settings: { "tenstorrent.port": 8080, "breadcrumbs.enabled": false } },
});
test.describe.configure({ mode: "serial", timeout: 480_000 });

const pair = { light: themes[0], dark: themes[1] };

/** Run the editor's own commands, by their ids. */
async function run(workbench: Workbench, ...commands: readonly string[]): Promise<void> {
  await workbench.host.evaluate(async (vscode, ids) => {
    for (const id of ids) await vscode.commands.executeCommand(id);
  }, commands);
}

/** Let the mouse point at nothing: hints do not belong into a picture. */
async function rest(page: Page): Promise<void> {
  await page.mouse.move(1, 1);
  await expect(page.locator(".monaco-hover:visible")).toHaveCount(0);
}

/** What stands between the bar of the activities and the window's right and lower edges. */
async function inside(page: Page): Promise<Clip> {
  const box = async (part: string): Promise<Clip> => {
    const found = await page.locator(`.part.${part}`).boundingBox();
    if (!found) throw new Error(`The ${part} is not there.`);
    return found;
  };
  const [title, activities, status] = [
    await box("titlebar"),
    await box("activitybar"),
    await box("statusbar"),
  ];
  const [x, y] = [activities.x + activities.width, title.y + title.height];
  return { x, y, width: status.x + status.width - x, height: status.y - y };
}

/** Take a picture in light and in dark: who reads the README sees the one that they prefer. */
async function shotPair(workbench: Workbench, webview: Webview, name: string): Promise<void> {
  for (const [word, theme] of Object.entries(pair)) {
    await setTheme(workbench, theme.name);
    await expect(webview.frame.locator(`body.${theme.className}`)).toBeAttached();
    await rest(workbench.page);
    await shot(workbench.page, `${name}-${word}`, await inside(workbench.page));
  }
  await setTheme(workbench, pair.light.name);
}

/** Drag the edge at the left of a part. @param by pixels to the right. */
async function dragLeftEdge(page: Page, part: Locator, by: number): Promise<void> {
  const { x = 0, y = 0, height = 0 } = (await part.boundingBox()) ?? {};
  const edges = await page
    .locator(".monaco-sash.vertical:not(.disabled)")
    .evaluateAll((found) => found.map((edge) => edge.getBoundingClientRect()))
    .then((boxes) => boxes.map(({ left, width }) => left + width / 2));
  const nearest = edges.reduce((a, b) => (Math.abs(b - x) < Math.abs(a - x) ? b : a));
  await page.mouse.move(nearest, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(nearest + by, y + height / 2, { steps: 5 });
  await page.mouse.up();
}

// Shown as large as they are: twice the pixels keep the letters sharp.
test.describe("in the size of the page", () => {
  test.use({ deviceScaleFactor: 2, viewport: { width: 1040, height: 650 } });

  test("walkthrough, chat, comparison, models", async ({ workbench, walkthrough, results }) => {
    const { page } = workbench;
    const server = workbench.statusItem("server");
    await setTheme(workbench, pair.light.name);
    await run(workbench, "workbench.action.closeSidebar");

    await test.step("the walkthrough, and three answers at once", async () => {
      await workbench.runCommand("Tenstorrent: Open the Walkthrough");
      await walkthrough.press("machine");
      await expect(workbench.quickInput).toContainText("Your machine");
      await workbench.closeQuickInput();
      await walkthrough.press("install");
      await walkthrough.expectTicked("install", start);
      await walkthrough.press("create");
      await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
      await workbench.runCommand("Tenstorrent: Open the Walkthrough");
      await walkthrough.press("start");
      await walkthrough.expectTicked("start", start);
      await walkthrough.press("ask");
      await expect(results.part("card")).toHaveAttribute("data-status", "done", start);
      await walkthrough.press("batch");
      await expect(results.part("timeline-text").first()).toContainText("3 answers in", start);
      await expect(server).not.toContainText("running");
      await run(workbench, "workbench.action.closePanel");
      // Folded, the chart leaves the room to the answers.
      await results.frame.getByText("Speed over the answers").click();
      await dragLeftEdge(page, page.locator(".editor-group-container").nth(1), -110);
      await walkthrough.select("batch");
      await results.frame.locator("body").evaluate(() => window.scrollTo({ top: 0 }));
      await shotPair(workbench, results, "walkthrough");
      await run(workbench, "workbench.action.closeAllEditors");
    });

    await test.step("a conversation", async () => {
      await workbench.runCommand("Tenstorrent: Open the Chat");
      const chat = new Chat(page);
      const bar = page.locator(".part.auxiliarybar");
      await expect(chat.model("ttdirect-demo")).toBeVisible();
      await dragLeftEdge(page, bar, -200);
      await chat.ask("What is machine learning?");
      await expect(chat.answer).toContainText("tokens/s", start);
      await chat.followups.filter({ hasText: "What is a KV cache?" }).click();
      await expect(chat.answer).toContainText("keys and values", start);
      await expect(chat.answer).toContainText("tokens/s");
      await expect(chat.followups.first()).toBeVisible();
      await chat.answer.hover();
      await page.mouse.wheel(0, 5000);
      await rest(page);
      await shot(bar, "chat");
      await run(workbench, "workbench.action.closeAuxiliaryBar");
    });

    await test.step("one question at three temperatures", async () => {
      const compare = new Webview(page);
      await workbench.runCommand("Tenstorrent: Compare Answers");
      await compare.part("prompt").fill("Write a haiku about the rain");
      await compare.part("temperatures").fill("0, 1, 2");
      await compare.part("max-tokens").fill("40"); // at 2 the model rambles
      await compare.part("compare").click();
      await expect(compare.part("card")).toHaveCount(3);
      for (const card of await compare.part("card").all()) {
        await expect(card).toHaveAttribute("data-status", "done", start);
      }
      await rest(page);
      await shot(page, "compare", await inside(page));
      await run(workbench, "workbench.action.closeAllEditors");
    });

    await test.step("the models that fit", async () => {
      await page.setViewportSize({ width: 960, height: 900 });
      await workbench.runCommand("Tenstorrent: Choose the Model");
      await expect(workbench.quickInput).toContainText("to download");
      await rest(page);
      await shot(workbench.quickInput, "models");
      await workbench.closeQuickInput();
    });
    await expect(workbench.notifications).toHaveCount(0);
  });
});

// Shown at two thirds of its size: fewer pixels are twice those of the page, too.
test.describe("wider than the page", () => {
  test.use({ deviceScaleFactor: 1.3, viewport: { width: 1300, height: 900 } });

  test("the server at work, and what batching gives", async ({ workbench }) => {
    const { page } = workbench;
    const server = workbench.statusItem("server");
    const dashboard = new Webview(page);
    const view = new ServerView(page);
    await view.open("Tenstorrent");
    await workbench.runCommand("Tenstorrent: Start the API Server"); // or take the one that runs
    await expect(server).toContainText("ttdirect-demo", start);
    await view.row("Routes").click(); // folded: they fill the bar, and the picture's bytes
    await expect(view.row("GET /health")).toHaveCount(0);
    await workbench.runCommand("Tenstorrent: Test the API Server: Several Questions at Once");
    await expect(dashboard.part("timeline-text").first()).toContainText("3 answers in", start);
    await run(workbench, "workbench.action.closeAllEditors", "workbench.action.closePanel");
    await workbench.runCommand("Tenstorrent: Show the Dashboard");
    await expect(dashboard.part("charts")).toBeVisible(start);
    await dragLeftEdge(page, page.locator(".part.editor"), -50);
    await dashboard.part("run-load-test").click();
    const rows = dashboard.part("load-table").locator("tbody tr");
    await expect(rows).toHaveCount(5, { timeout: 180_000 });
    await expect(dashboard.part("run-load-test")).toBeVisible();
    await expect(server).not.toContainText("running");
    await dashboard.part("load-table").scrollIntoViewIfNeeded();
    await shotPair(workbench, dashboard, "dashboard");
    await expect(workbench.notifications).toHaveCount(0);
    await workbench.runCommand("Tenstorrent: Stop the API Server");
    await expect(server).toContainText("API server: stopped", start);
  });
});
