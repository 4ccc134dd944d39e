import { expect, type Locator, type Page } from "@playwright/test";

/** The view of the server in the activity bar. */
export class ServerView {
  /** The side bar with the view in it. */
  readonly bar: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.bar = page.locator(".part.sidebar");
  }

  /** Open another container of the activity bar, or this one. */
  async open(container: "Tenstorrent" | "Explorer"): Promise<void> {
    const tab = this.#page
      .locator('.part.activitybar [role="tab"]')
      .filter({ has: this.#page.locator(`a[aria-label^="${container}"]`) });
    // A click on the one that is open would close it.
    if ((await tab.getAttribute("aria-selected")) !== "true") await tab.click();
    await expect(tab).toHaveAttribute("aria-selected", "true");
  }

  /** A row by the beginning of what a screen reader says: "State: ready". */
  row(words: string): Locator {
    return this.bar.locator(`.monaco-list-row[aria-label^="${words}"]`);
  }

  /** Press a button of a row, which appears when the mouse is over it. */
  async press(row: Locator, title: string): Promise<void> {
    await row.hover();
    await row.locator(`.action-label[aria-label="${title}"]`).click();
  }

  /** Move the focus down to a row by the arrow key. */
  async moveTo(row: Locator): Promise<void> {
    await expect(this.bar.locator(".monaco-list:focus")).toBeVisible();
    const focused = this.bar.locator(".monaco-list-row.focused").and(row);
    for (let rows = await this.bar.locator(".monaco-list-row").count(); rows > 0; rows -= 1) {
      if (await focused.isVisible()) return;
      await this.#page.keyboard.press("ArrowDown");
    }
    await expect(focused).toBeVisible();
  }

  /** Choose from the menu that is open, by the keyboard as well. */
  async choose(title: string): Promise<void> {
    const items = this.#page.locator(".monaco-menu .action-item:not(.disabled)");
    const item = items.filter({ hasText: title });
    await expect(item).toBeVisible();
    for (let rows = await items.count(); rows > 0; rows -= 1) {
      if (await item.and(this.#page.locator(".focused")).isVisible()) break;
      await this.#page.keyboard.press("ArrowDown");
    }
    await this.#page.keyboard.press("Enter");
  }

  /** A button above the rows. */
  titleButton(title: string): Locator {
    return this.bar.locator(`.composite.title .action-label[aria-label="${title}"]`);
  }
}
