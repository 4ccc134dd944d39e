import type { FrameLocator, Locator, Page } from "@playwright/test";
import { extensionId } from "../harness/manifest";

/** A page of ours in two nested frames; one at a time may be in sight. */
export class Webview {
  readonly frame: FrameLocator;

  constructor(page: Page) {
    this.frame = page
      .frameLocator(`iframe.webview.ready[src*="extensionId=${extensionId}"]`)
      .frameLocator("iframe#active-frame");
  }

  /** An element by its `data-testid`. */
  part(testId: string): Locator {
    return this.frame.getByTestId(testId);
  }
}
