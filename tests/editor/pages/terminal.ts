import type { Locator, Page } from "@playwright/test";

/** The terminal panel. */
export class Terminal {
  /** One for each terminal, once there are two or more. */
  readonly tabs: Locator;
  readonly #rows: Locator;

  constructor(page: Page) {
    this.tabs = page.locator(".terminal-tabs-entry");
    this.#rows = page.locator("#terminal .terminal-wrapper.active .xterm-rows > div");
  }

  /** The lines that can be seen in the active terminal, without blanks at their ends. */
  async text(): Promise<string> {
    const rows = await this.#rows.allInnerTexts();
    return rows.map((row) => row.replaceAll("\u00a0", " ").trimEnd()).join("\n");
  }
}
