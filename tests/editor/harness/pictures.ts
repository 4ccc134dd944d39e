import type { Locator, Page, TestInfo } from "@playwright/test";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";

/** A part of a page, in its pixels. */
export interface Clip {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Renew a picture of the documentation. @param clip the part of the page to be shown; all if left out. */
export async function shot(of: Page | Locator, name: string, clip?: Clip): Promise<void> {
  const path = join(root, "docs/images", `${name}.png`);
  await of.screenshot({ path, animations: "disabled", ...(clip && { clip }) });
}

/** Keep a picture beside the test's other results. @param fullPage also what has to be scrolled to. */
export async function keep(
  page: Page,
  testInfo: TestInfo,
  name: string,
  fullPage = false,
): Promise<void> {
  const path = testInfo.outputPath(`${name}.png`);
  await page.screenshot({ path, animations: "disabled", fullPage });
  await testInfo.attach(name, { path, contentType: "image/png" });
}
