import { expect, type Locator, type Page } from "@playwright/test";

/** The editor's own chat, in the side bar on the right. */
export class Chat {
  readonly view: Locator;
  /** The last answer, also while it is being written. */
  readonly answer: Locator;
  /** Where a question is typed. */
  readonly input: Locator;
  /** Sends what is typed; there only while no answer is being written. */
  readonly send: Locator;
  /** Ends the answer that is being written. */
  readonly stop: Locator;
  readonly followups: Locator;
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
    this.view = page.locator('div[id="workbench.panel.chat"]');
    this.answer = this.view.locator(".interactive-item-container.interactive-response").last();
    this.input = this.view.locator('.interactive-input-part .monaco-editor[role="code"]');
    const toolbar = this.view.locator(".chat-execute-toolbar .action-item");
    this.send = toolbar.locator(".action-label.codicon-arrow-up-compact");
    this.stop = toolbar.locator(".action-label.codicon-stop-circle");
    this.followups = this.view.locator(
      ".interactive-session-followups .interactive-followup-reply",
    );
  }

  /** The picker of models, when it shows this one. */
  model(name: string): Locator {
    return this.view.locator(".chat-input-toolbars .action-label", { hasText: name });
  }

  /** A file that goes with the next question. */
  attachment(name: string): Locator {
    // Those of questions that were asked stand there, too; they cannot be taken out again.
    const chip = ".chat-attached-context-attachment:not(.implicit)[aria-label*='(Delete)']";
    return this.view.locator(chip, { hasText: name });
  }

  /** A button in the last answer. */
  button(title: string): Locator {
    return this.answer.locator("a.monaco-button", { hasText: title });
  }

  /** Type letter by letter into the empty box and send it by Enter, as a person does. */
  async typeByHand(question: string): Promise<void> {
    await this.input.click();
    await this.#page.keyboard.type(question);
    // Monaco shows blanks that do not break lines.
    await expect(this.input).toContainText(question.replaceAll(" ", "\u00a0"));
    await expect(this.view.locator(".suggest-widget.visible")).toHaveCount(0);
    await this.#page.keyboard.press("Enter");
  }

  /** Type behind what stands in the box, and send it. */
  async ask(question: string): Promise<void> {
    await this.input.click();
    await this.#page.keyboard.press("End");
    // At once: letter by letter, the list of suggestions would take the keys.
    await this.#page.keyboard.insertText(question);
    await expect(this.input).toContainText(question.slice(-12));
    await this.send.click();
  }
}
