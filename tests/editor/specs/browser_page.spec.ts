import { expect, test } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { accessibilityProblems } from "../harness/accessibility";
import { freePort, plainEnvironment } from "../harness/editor";
import { keep } from "../harness/pictures";

/** How readers may have set up their computers. */
const looks = {
  light: { colorScheme: "light", forcedColors: "none" },
  dark: { colorScheme: "dark", forcedColors: "none" },
  contrast: { colorScheme: "dark", forcedColors: "active" },
} as const;

let home: string;
let url: string;
let server: ChildProcess;

test.beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "tt-page-"));
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  const python = join(root, ".venv/bin/python");
  const words = ["-m", "ttdirect", "serve", "--device", "cpu", "--port", String(port)];
  const env = { ...plainEnvironment(), HOME: home };
  server = spawn(python, words, { cwd: home, env, stdio: ["ignore", "ignore", "inherit"] });
});

test.afterAll(async () => {
  if (server.exitCode === null) {
    const ended = once(server, "exit");
    server.kill();
    await ended;
  }
  await rm(home, { recursive: true, force: true });
});

test("the server's own page answers, and can be read in every look, wide and narrow", async ({
  page,
}, testInfo) => {
  await expect(async () => {
    await page.goto(url);
  }).toPass({ timeout: 60_000 });
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Ready.", { timeout: 60_000 });
  await expect(page.getByRole("listitem").filter({ hasText: "/health" })).toBeVisible();
  await page.getByText("Parameters").click();
  await page.getByRole("button", { name: "Ask" }).click();
  await expect(page.locator("#answer")).toContainText("find patterns in examples");
  await expect(page.locator("#progress")).toContainText("Answered in");
  await page.getByRole("button", { name: "Copy curl for POST /chat", exact: true }).click();
  await expect(page.locator("#routes pre:visible")).toContainText("curl http://127.0.0.1");

  for (const [look, media] of Object.entries(looks)) {
    await page.emulateMedia(media);
    for (const [word, width] of Object.entries({ wide: 1400, narrow: 380 })) {
      await page.setViewportSize({ width, height: 900 });
      await keep(page, testInfo, `page-${look}-${word}`, true);
      // Where the reader's own colours are forced, axe still judges those of the page.
      const isForced = media.forcedColors === "active";
      const problems = await accessibilityProblems(page.locator("main"));
      expect(problems.filter(({ rule }) => !isForced || rule !== "color-contrast")).toEqual([]);
      const overflow = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      });
      expect(overflow).toBe(0);
    }
  }
});
