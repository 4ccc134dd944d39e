import { expect, type FrameLocator, type TestInfo } from "@playwright/test";
import type { Workbench } from "../pages/workbench";
import { accessibilityProblems } from "./accessibility";
import { keep } from "./pictures";

/** The editor's themes with the class that a webview gets under each. */
export const themes = [
  { name: "Light 2026", className: "vscode-light" },
  { name: "Dark 2026", className: "vscode-dark" },
  { name: "Default High Contrast", className: "vscode-high-contrast" },
  { name: "Default High Contrast Light", className: "vscode-high-contrast-light" },
] as const;

/** Pixels. */
export const widths = { wide: 1440, narrow: 760 } as const;

export async function setTheme(workbench: Workbench, name: string): Promise<void> {
  await workbench.host.evaluate(async (vscode, theme) => {
    const target = vscode.ConfigurationTarget.Global;
    await vscode.workspace.getConfiguration("workbench").update("colorTheme", theme, target);
  }, name);
}

/**
 * Show a page of ours in every theme, wide and narrow: it must be accessible and as wide as its
 * window, and its pictures are kept.
 */
export async function expectReadableEverywhere(
  workbench: Workbench,
  frame: FrameLocator,
  testInfo: TestInfo,
  name: string,
): Promise<void> {
  const main = frame.locator("main");
  for (const theme of themes) {
    await setTheme(workbench, theme.name);
    await expect(frame.locator(`body.${theme.className}`)).toBeAttached();
    for (const [word, width] of Object.entries(widths)) {
      await workbench.page.setViewportSize({ width, height: 900 });
      await expect(main).toBeVisible();
      await keep(workbench.page, testInfo, `${name}-${theme.className}-${word}`);
      expect(await accessibilityProblems(main)).toEqual([]);
      const overflow = await main.evaluate((element) => {
        const page = element.ownerDocument.documentElement;
        return page.scrollWidth - page.clientWidth;
      });
      expect(overflow).toBe(0);
    }
  }
}
