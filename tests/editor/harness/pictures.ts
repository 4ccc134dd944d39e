import type { Locator, Page, TestInfo } from "@playwright/test";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";

/** Renew a picture of the documentation, if `make images` asks for it; else the tree stays clean. */
export async function shot(of: Page | Locator, name: string): Promise<void> {
  if (!process.env["UPDATE_IMAGES"]) return;
  await of.screenshot({ path: join(root, "docs/images", `${name}.png`), animations: "disabled" });
}

/** Keep a picture beside the test's other results. */
export async function keep(page: Page, testInfo: TestInfo, name: string): Promise<void> {
  const path = testInfo.outputPath(`${name}.png`);
  await page.screenshot({ path, animations: "disabled" });
  await testInfo.attach(name, { path, contentType: "image/png" });
}
