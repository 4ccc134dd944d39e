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

  /** A button above the rows. */
  titleButton(title: string): Locator {
    return this.bar.locator(`.composite.title .action-label[aria-label="${title}"]`);
  }
}
