import { type Page, test as base } from "@playwright/test";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../../../scripts/code_server.mjs";
import { freePort, plainEnvironment } from "../harness/editor";
import { expect, start } from "../harness/fixtures";
import { Results } from "../pages/results";
import { Walkthrough } from "../pages/walkthrough";

/** What `make editor` runs, with an empty home folder. */
class MakeEditor {
  private constructor(
    readonly url: string,
    readonly child: ChildProcess,
    readonly folder: string,
  ) {}

  static async start(): Promise<MakeEditor> {
    const folder = await mkdtemp(join(tmpdir(), "tt-make-editor-"));
    const home = join(folder, "home");
    await mkdir(home);
    const env = { ...plainEnvironment(), HOME: home, DISPLAY: "", WAYLAND_DISPLAY: "" };
    const child = spawn(process.execPath, [join(root, "scripts/editor.mjs"), folder], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface(child.stdout)) {
      const url = /^VS Code is at {2}(\S+)$/.exec(line)?.[1];
      if (url === undefined) continue;
      // Somebody may use 8080 on this machine; the rest is as everybody gets it.
      const settings = join(folder, "data/Machine/settings.json");
      const own = JSON.parse(await readFile(settings, "utf8")) as object;
      await writeFile(settings, JSON.stringify({ ...own, "tenstorrent.port": await freePort() }));
      return new MakeEditor(url, child, folder);
    }
    throw new Error("make editor has ended without an address.");
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Count what a person does, in the page and in all its frames: clicks and keys. */
async function countDeeds(page: Page): Promise<{ readonly count: number }> {
  const deeds = { count: 0 };
  await page.exposeFunction("countDeed", () => void (deeds.count += 1));
  await page.addInitScript(() => {
    for (const kind of ["click", "keydown"]) {
      const count = (event: Event): void => {
        if (event.isTrusted) (window as unknown as { countDeed(): void }).countDeed();
      };
      window.addEventListener(kind, count, true);
    }
  });
  return deeds;
}

base(
  "from make editor to the first answer, a newcomer does six things at most",
  async ({ page }, testInfo) => {
    base.setTimeout(240_000);
    const began = Date.now();
    const editor = await MakeEditor.start();
    try {
      const deeds = await countDeeds(page);
      const walkthrough = new Walkthrough(page);
      const results = new Results(page);
      await page.goto(editor.url);

      // Nobody opens the walkthrough, and nobody unfolds a step: that happens by itself.
      await walkthrough.button("machine").click({ timeout: 60_000 });
      await expect(page.locator(".quick-input-widget")).toContainText("Your machine", start);
      await page.keyboard.press("Escape");
      for (const [step, next] of [
        ["install", "create"],
        ["create", "start"],
        ["start", "ask"],
      ] as const) {
        await walkthrough.expectUnfolded(step);
        await walkthrough.button(step).click();
        await expect(walkthrough.step(next)).toHaveAttribute("aria-expanded", "true", start);
        await walkthrough.expectTicked(step);
      }
      await walkthrough.button("ask").click();
      await expect(results.part("card")).toHaveAttribute("data-status", "done", start);
      const seconds = (Date.now() - began) / 1000;
      await expect(results.part("answer")).toContainText("find patterns in examples");
      await expect(page.locator(".notification-toast")).toHaveCount(0);

      expect(deeds.count).toBeGreaterThan(3); // else nothing was counted
      expect(deeds.count).toBeLessThanOrEqual(6);
      // A figure to be read, not to be judged: it depends on the machine.
      const figures = `${seconds} s from make editor to the answer, ${deeds.count} clicks and keys\n`;
      await writeFile(testInfo.outputPath("first-answer.txt"), figures);
    } finally {
      await editor.stop();
    }
  },
);
