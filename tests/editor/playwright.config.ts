import { defineConfig } from "@playwright/test";
import { execFileSync } from "node:child_process";

/** Debian's Chromium or another of its kind; `CHROMIUM` names one that is not on the PATH. */
function findChromium(): string {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  for (const name of [process.env["CHROMIUM"], ...names]) {
    if (!name) continue;
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // The next one, then.
    }
  }
  throw new Error("No Chromium found: sudo apt-get install chromium, or set CHROMIUM to its path.");
}

export default defineConfig({
  testDir: "specs",
  outputDir: "../../test-results/editor",
  reporter: [["list"]],
  forbidOnly: Boolean(process.env["CI"]),
  // A test that has to be tried twice is wrong, or has found something.
  retries: 0,
  // Each file has an editor, a browser and often a server with a model: one at a time.
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  use: {
    // So that a failure names the locator, not the whole test.
    actionTimeout: 20_000,
    viewport: { width: 1440, height: 900 },
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: findChromium(),
      args: ["--disable-gpu", "--disable-quic"],
    },
  },
});
