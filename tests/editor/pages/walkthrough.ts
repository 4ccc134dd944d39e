import { expect, type FrameLocator, type Locator, type Page } from "@playwright/test";
import { walkthrough } from "../harness/manifest";
import type { Workbench } from "./workbench";

/** The walkthrough's page. Steps are named by their ids in package.json: "machine", "install". */
export class Walkthrough {
  readonly page: Locator;

  constructor(page: Page) {
    this.page = page.locator(".gettingStartedContainer .gettingStartedSlideDetails");
  }

  /** Open it as VS Code offers it, without a command of ours. */
  async open(workbench: Workbench): Promise<void> {
    await workbench.runCommand("Welcome: Open Walkthrough...");
    await workbench.typeIntoQuickInput(walkthrough.title);
    await workbench.pick(walkthrough.title);
    await expect(this.step("machine")).toBeVisible();
  }

  step(id: string): Locator {
    return this.page.locator(`button.getting-started-step[data-step-id="${walkthrough.id}#${id}"]`);
  }

  /** Unfold a step, unless it is unfolded already: a second click would fold it. */
  async select(id: string): Promise<void> {
    const step = this.step(id);
    if ((await step.getAttribute("aria-expanded")) !== "true") await step.click();
    await this.expectUnfolded(id);
  }

  /** A button of a step; the first is the main one. */
  button(id: string, title?: string): Locator {
    const buttons = this.step(id).locator("a.monaco-button, .monaco-button");
    return title == null ? buttons.first() : buttons.filter({ hasText: title });
  }

  async expectUnfolded(id: string): Promise<void> {
    await expect(this.step(id)).toHaveAttribute("aria-expanded", "true");
  }

  /** Unfold a step and press its main button. */
  async press(id: string): Promise<void> {
    await this.select(id);
    await this.button(id).click();
  }

  async expectTicked(id: string, options?: { readonly timeout: number }): Promise<void> {
    await expect(this.#tick(id)).toHaveAttribute("aria-checked", "true", options);
  }

  async expectNotTicked(id: string): Promise<void> {
    await expect(this.#tick(id)).toHaveAttribute("aria-checked", "false");
  }

  /** The text and pictures beside the steps. */
  media(): FrameLocator {
    return this.page
      .frameLocator(".getting-started-media iframe.webview.ready")
      .frameLocator("iframe#active-frame");
  }

  #tick(id: string): Locator {
    return this.page.locator(`[data-done-step-id="${walkthrough.id}#${id}"]`).first();
  }
}
