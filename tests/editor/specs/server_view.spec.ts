import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { ServerView } from "../pages/serverView";

// A Python like the others, but for what it finds in the computer.
const folder = mkdtempSync(join(tmpdir(), "tt-boards-"));
const python = join(root, ".venv/bin/python");
const stub = join(folder, "python");
const boards = join(folder, "boards.json");
writeFileSync(
  stub,
  `#!/bin/sh
case "$*" in
"-m ttdirect hardware --json"*)
  echo asked >> '${folder}/asked'
  [ -e '${boards}' ] && exec cat '${boards}' ;;
esac
exec '${python}' "$@"
`,
  { mode: 0o755 },
);
test.afterAll(() => rmSync(folder, { recursive: true }));
test.use({
  permissions: ["clipboard-read", "clipboard-write"],
  editorOptions: { settings: { "tenstorrent.interpreter": stub } },
});

const lookedUp = `
import json, pathlib, tempfile
from hardware.driver_files import fake_driver
from ttdirect.cli.hardware import as_json
from ttdirect.hardware.telemetry import read_hardware
with tempfile.TemporaryDirectory() as folder:
    for state, hanging in {"healthy": [], "wedged": [0]}.items():
        driver = fake_driver(pathlib.Path(folder, state), ["n300"], hanging=hanging)
        print(json.dumps(as_json(read_hardware(driver))))
`;

/** What ttdirect says of the driver's files of an N300: of a healthy one, and of one that hangs. */
function recorded(): readonly string[] {
  const options = { cwd: join(root, "tests/python"), encoding: "utf8" } as const;
  return execFileSync(python, ["-c", lookedUp], options).trim().split("\n");
}

test("the server view, from its welcome to a board that hangs and recovers", async ({
  workbench,
  results,
  editor,
}, testInfo) => {
  test.setTimeout(240_000);
  const { page } = workbench;
  const view = new ServerView(page);
  const address = `http://127.0.0.1:${editor.port}`;
  /** How often a route was asked so far, as the server counts it. */
  const asked = async (route: string): Promise<number> => {
    const text = await (await fetch(`${address}/metrics`)).text();
    const counts = text.matchAll(/^ttdirect:http_requests_total\{(.*)\} (\S+)$/gm);
    const own = [...counts].filter(([, labels]) => labels?.includes(`route="${route}"`));
    return own.reduce((sum, [, , count]) => sum + Number(count), 0);
  };

  await test.step("welcomes, and starts the server", async () => {
    await view.open("Tenstorrent");
    await expect(workbench.button(view.bar, "Open the Walkthrough")).toBeVisible();
    await keep(page, testInfo, "welcome");
    await workbench.button(view.bar, "Start the API Server").click();
    await workbench.button(workbench.notifications, "Set Up and Start").click();
    await expect(view.row("State: ready")).toBeVisible(start);
  });

  await test.step("tells what the server is and does", async () => {
    await expect(view.row("Model: ttdirect-demo")).toBeVisible();
    await expect(view.row("Device: CPU")).toBeVisible();
    await expect(view.row("Uptime: ")).toBeVisible();
    await expect(view.row("Requests: 0 running, 0 queued")).toBeVisible();
    await expect(view.row("Tokens/s: idle")).toBeVisible();
    await expect(view.row("KV cache: ")).toBeVisible();
    await expect(view.row("Memory: ")).toContainText(/MB.*KV cache/);
  });

  await test.step("sends a route and shows its answer, copies one, opens one in the browser", async () => {
    await view.press(view.row("GET /health"), "Send a Request to This Route");
    const answer = workbench.tab("GET health");
    await expect(answer).toBeVisible();
    await expect(page.locator(".editor-instance .view-lines")).toContainText('"status": "healthy"');
    await workbench.host.evaluate((vscode) => vscode.env.clipboard.writeText(""));
    await view.press(view.row("GET /metrics"), "Copy This Route's URL");
    await expect
      .poll(() => workbench.host.evaluate((vscode) => vscode.env.clipboard.readText()))
      .toBe(`${address}/metrics`);
    const opened = page.waitForEvent("popup");
    await view.press(view.row("GET /health"), "Open This Route in the Browser");
    const browser = await opened;
    await expect(browser.locator("body")).toContainText('"status":');
    expect(new URL(browser.url()).pathname).toMatch(/health$/);
    await browser.close();
  });

  await test.step("does the same by the keyboard alone", async () => {
    await workbench.runCommand("View: Close All Editors");
    await expect(workbench.tab("GET health")).toHaveCount(0);
    await workbench.host.evaluate((vscode) =>
      vscode.commands.executeCommand("tenstorrent.server.focus"),
    );
    await view.moveTo(view.row("GET /health"));
    await page.keyboard.press("Shift+F10");
    await view.choose("Send a Request to This Route");
    await expect(workbench.tab("GET health")).toBeVisible();
  });

  await test.step("lists a request, and opens it in the results", async () => {
    const request = view.row("What is machine learning?");
    await view.press(view.row("POST /chat:"), "Send a Request to This Route");
    await expect(request).toContainText(/tokens\/s/, start);
    await expect(view.row("Tokens/s: ")).toContainText(/[\d.]+ each/);
    await workbench.runCommand("View: Close All Editors");
    await request.click();
    await expect(results.part("card")).toBeFocused();
    await keep(page, testInfo, "server-view");
  });

  await test.step("shows a board, one that hangs, and its recovery", async () => {
    const [healthy = "", wedged = ""] = recorded();
    await expect(view.row("Hardware")).toHaveCount(0);
    writeFileSync(boards, healthy);
    await view.titleButton("Refresh the Server View").click();
    await expect(view.row("N300: 45 °C, 22 W, 1000 MHz")).toBeVisible();
    await expect(view.row("Driver: 2.7.0")).toBeVisible();
    await expect(view.row("Firmware: 18.7.0.0")).toBeVisible();
    writeFileSync(boards, wedged);
    await workbench.runCommand("Tenstorrent: Refresh the Server View");
    await expect(view.row("unknown board: It does not answer")).toContainText("tt-smi -r");
    writeFileSync(boards, healthy);
    await expect(view.row("N300: 45 °C")).toBeVisible(); // by itself, within ten seconds
    await keep(page, testInfo, "board");
  });

  await test.step("asks nothing while it is hidden", async () => {
    await view.open("Explorer");
    const hidden = await asked("/health");
    await expect.poll(() => asked("/health")).toBeGreaterThan(hidden); // by now it knows
    const before = await asked("/metrics"); // which is one of its own
    const looks = readFileSync(join(folder, "asked"), "utf8");
    // The status bar goes on asking for the health, every two seconds.
    const until = (await asked("/health")) + 4;
    let own = 1;
    await expect
      .poll(
        async () => {
          own += 1;
          return asked("/health");
        },
        { intervals: [1000] },
      )
      .toBeGreaterThanOrEqual(until);
    expect(await asked("/metrics")).toBe(before + own + 1);
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe(looks);
    await view.open("Tenstorrent");
    await expect(view.row("State: ready")).toBeVisible();
  });

  await test.step("stops from its title", async () => {
    await view.titleButton("Stop the API Server").click();
    await expect(view.row("State: stopped")).toBeVisible(start);
    await expect(view.row("GET /health")).toHaveCount(0);
    await expect(view.titleButton("Start the API Server")).toBeVisible();
    await expect(workbench.notifications).toHaveCount(0);
  });
});
