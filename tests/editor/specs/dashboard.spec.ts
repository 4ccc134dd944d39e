import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { expectReadableEverywhere } from "../harness/themes";
import { Webview } from "../pages/webview";

/** How often the server was asked on each route, `/metrics` by this very look as well. */
async function requests(
  port: number,
): Promise<{ readonly metrics: number; readonly health: number }> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const of = (route: string): number =>
    [...text.matchAll(/^ttdirect:http_requests_total\{(.*)\} (\S+)$/gm)]
      .filter(([, labels]) => labels?.includes(`route="${route}"`))
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  return { metrics: of("/metrics"), health: of("/health") };
}

test("the dashboard, from a stopped server to what batching gives", async ({
  workbench,
  editor,
}, testInfo) => {
  test.setTimeout(300_000);
  const { page } = workbench;
  const dashboard = new Webview(page);
  const rows = dashboard.part("load-table").locator("tbody tr");
  let measured = 0;

  await test.step("offers to start a server that does not run", async () => {
    await workbench.runCommand("Tenstorrent: Create the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    await workbench.runCommand("View: Close Editor");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeHidden();
    await workbench.runCommand("Tenstorrent: Show the Dashboard");
    await expect(dashboard.part("empty")).toContainText("No figures yet");
    await keep(page, testInfo, "dashboard-empty");
    await dashboard.part("start").click();
    await expect(dashboard.part("charts")).toBeVisible(start);
    await expect(dashboard.part("empty")).toBeHidden();
    await workbench.runCommand("View: Hide Panel");
  });

  await test.step("measures users at once, and draws what the server does meanwhile", async () => {
    await dashboard.part("run-load-test").click();
    await expect(dashboard.part("load-progress")).toBeVisible();
    const throughput = dashboard.part("chart").first();
    await expect(throughput).toContainText(/Answers [1-9]/, start);
    await expect(rows).toHaveCount(1, start);
    await workbench.runCommand("View: Close Editor");
    await expect(workbench.tab("Dashboard")).toHaveCount(0);
    await expect(dashboard.part("charts")).toHaveCount(0);
    await workbench.runCommand("Tenstorrent: Show the Dashboard");
    // It has gone on meanwhile, and goes on.
    await expect.poll(() => rows.count(), start).toBeGreaterThan(1);
    await dashboard.part("cancel-load-test").click();
    await expect(dashboard.part("run-load-test")).toBeVisible();
    measured = await rows.count();
    await expect(dashboard.part("load-sentence")).toContainText(/users together get/);
    await dashboard.part("load-table").scrollIntoViewIfNeeded();
    await keep(page, testInfo, "dashboard-load-test");
    await dashboard.frame.getByText("As a table").click();
    await expect(dashboard.part("figures")).toContainText("KV cache in use");
  });

  await test.step("can be read in every theme, wide and narrow", async () => {
    await expectReadableEverywhere(workbench, dashboard.frame, testInfo, "dashboard");
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  await test.step("keeps its charts and the load test over a reload", async () => {
    await workbench.reload();
    await expect(dashboard.part("charts")).toBeVisible(start);
    await expect(rows).toHaveCount(measured);
  });

  await test.step("asks for nothing while it is hidden", async () => {
    await workbench.host.evaluate((vscode) =>
      vscode.commands.executeCommand("workbench.action.files.newUntitledFile"),
    );
    await expect(dashboard.part("charts")).toBeHidden();
    // The status bar's looks at the server's health tell that seconds go by.
    const later = async (): Promise<{ readonly metrics: number; readonly ownLooks: number }> => {
      const { health } = await requests(editor.port);
      let ownLooks = 0;
      let now = { metrics: 0, health };
      const look = async (): Promise<number> => {
        ownLooks += 1;
        now = await requests(editor.port);
        return now.health;
      };
      await expect.poll(look).toBeGreaterThanOrEqual(health + 2);
      return { metrics: now.metrics, ownLooks: ownLooks + 1 };
    };
    const before = await later(); // what was under way when it was hidden has ended then
    const after = await later();
    expect(after.metrics - before.metrics).toBe(after.ownLooks);
  });
});
