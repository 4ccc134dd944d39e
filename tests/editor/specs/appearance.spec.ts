import { readFile, writeFile } from "node:fs/promises";
import { accessibilityProblems } from "../harness/accessibility";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";

/** The editor's themes with the class that a webview gets under each. */
const themes = [
  { name: "Light 2026", className: "vscode-light" },
  { name: "Dark 2026", className: "vscode-dark" },
  { name: "Default High Contrast", className: "vscode-high-contrast" },
  { name: "Default High Contrast Light", className: "vscode-high-contrast-light" },
] as const;
const widths = { wide: 1440, narrow: 760 } as const;

test("results and walkthrough can be read in every theme, wide and narrow", async ({
  workbench,
  walkthrough,
  results,
  editor,
}, testInfo) => {
  test.setTimeout(300_000);
  const { page } = workbench;
  const setTheme = (name: string): Promise<void> =>
    workbench.host.evaluate(async (vscode, theme) => {
      const target = vscode.ConfigurationTarget.Global;
      await vscode.workspace.getConfiguration("workbench").update("colorTheme", theme, target);
    }, name);

  await test.step("fill the results: done, at once, refused", async () => {
    await workbench.runCommand("Tenstorrent: Create the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    const script = `${editor.home}/tt-api-server-direct.py`;
    const text = await readFile(script, "utf8");
    await writeFile(script, text.replace("MAX_SEQ_LEN = 2048", "MAX_SEQ_LEN = 128"));
    await workbench.runCommand("Tenstorrent: Start the API Server");
    await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
    await workbench.runCommand("View: Close Editor"); // so that the results have the whole width

    await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
    await expect(results.part("card")).toHaveAttribute("data-status", "done", start);
    await workbench.runCommand("Tenstorrent: Test the API Server: Several Questions at Once");
    await expect(results.part("timeline-text").first()).toContainText("3 answers in", start);
    await results.part("prompt").fill("Is this too long? ".repeat(40));
    await results.part("ask").click();
    await expect(results.part("error").first()).toContainText("tokens", start);
    await results.part("prompt").fill("What is a KV cache?");
    await workbench.runCommand("View: Hide Panel");
  });

  for (const { name, className } of themes) {
    await setTheme(name);
    await expect(results.frame.locator(`body.${className}`)).toBeAttached();
    for (const [word, width] of Object.entries(widths)) {
      await page.setViewportSize({ width, height: 900 });
      await test.step(`${name}, ${word}`, async () => {
        const main = results.frame.locator("main");
        await expect(results.part("card").first()).toBeVisible();
        await keep(page, testInfo, `results-${className}-${word}`);
        expect(await accessibilityProblems(main)).toEqual([]);
        const overflow = await main.evaluate((element) => {
          const page = element.ownerDocument.documentElement;
          return page.scrollWidth - page.clientWidth;
        });
        expect(overflow).toBe(0);
      });
    }
  }

  await test.step("the walkthrough keeps its buttons when it is narrow", async () => {
    for (const { name, className } of themes) {
      await setTheme(name);
      await workbench.runCommand("Tenstorrent: Open the Walkthrough");
      for (const [word, width] of Object.entries(widths)) {
        await page.setViewportSize({ width, height: 900 });
        await walkthrough.select("batch");
        await expect(walkthrough.button("batch")).toBeInViewport();
        await keep(page, testInfo, `walkthrough-${className}-${word}`);
      }
    }
  });
});
