import { expect, type Locator, type Page } from "@playwright/test";
import type { Editor } from "../harness/editor";
import type { ExtensionHost } from "../harness/extension_host";
import { extensionId } from "../harness/manifest";

/** One window of the editor, on one page of the browser. */
export class Workbench {
  readonly page: Page;
  readonly host: ExtensionHost;
  /** Pop-ups; `notifications.filter({ hasText })` finds one, and `button` its buttons. */
  readonly notifications: Locator;
  /** A modal question. */
  readonly dialog: Locator;
  /** The palette, a list to choose from, or a box to type into. */
  readonly quickInput: Locator;
  readonly #quickRows: Locator;

  private constructor(page: Page, host: ExtensionHost) {
    this.page = page;
    this.host = host;
    this.notifications = page.locator(".notification-toast");
    this.dialog = page.locator(".monaco-dialog-box");
    this.quickInput = page.locator(".quick-input-widget");
    this.#quickRows = this.quickInput.locator(".quick-input-list .monaco-list-row");
  }

  /** Open a window on a workspace; every window of an editor needs a workspace of its own. */
  static async open(editor: Editor, page: Page, workspace = "workspace"): Promise<Workbench> {
    const folder = await editor.workspace(workspace);
    return Workbench.#open(editor, page, workspace, `folder=${encodeURIComponent(folder)}`);
  }

  /** Open a window on several workspaces at once. */
  static async openTogether(
    editor: Editor,
    page: Page,
    workspaces: readonly [string, ...string[]],
  ): Promise<Workbench> {
    const folders = [];
    for (const name of workspaces) folders.push({ path: await editor.workspace(name) });
    const together = await editor.workspace("together", {
      "all.code-workspace": JSON.stringify({ folders }),
    });
    const file = encodeURIComponent(`${together}/all.code-workspace`);
    return Workbench.#open(editor, page, workspaces[0], `workspace=${file}`);
  }

  static async #open(editor: Editor, page: Page, first: string, query: string): Promise<Workbench> {
    const host = editor.extensionHost(first);
    await host.renew();
    await page.goto(`${editor.url}/?${query}`);
    const workbench = new Workbench(page, host);
    await workbench.#ready();
    return workbench;
  }

  /** Reload the window; resolves when its new extension host answers. */
  async reload(): Promise<void> {
    await this.host.renew();
    await this.page.reload();
    await this.#ready();
  }

  /** Run a command from the palette, by its full title: "Tenstorrent: Show Results". */
  async runCommand(title: string): Promise<void> {
    // A page that opens late takes the focus and closes the palette; a person opens it again.
    await expect(async () => {
      await this.findCommand(title);
      await this.command(title).click({ timeout: 5000 });
    }).toPass();
  }

  /** Type a title into the palette; whether `command(title)` is there is for the caller to see. */
  async findCommand(title: string): Promise<void> {
    if (!(await this.quickInput.isVisible())) await this.page.keyboard.press("F1");
    await this.typeIntoQuickInput(`>${title}`);
  }

  /** The palette's row for a command. */
  command(title: string): Locator {
    // The row's label goes on with the key binding or with "recently used", if there is one.
    return this.#quickRows.and(this.page.locator(`[aria-label^="${title}"]`)).first();
  }

  /** Choose from a list by the beginning of a row's label. */
  async pick(label: string): Promise<void> {
    await this.#quickRows
      .and(this.page.locator(`[aria-label^="${label}"]`))
      .first()
      .click();
  }

  async typeIntoQuickInput(text: string): Promise<void> {
    await this.quickInput.locator(".quick-input-filter input").fill(text, { timeout: 5000 });
  }

  /** Choose a folder beside those that the editor's own dialog shows when it opens. */
  async chooseFolder(name: string): Promise<void> {
    const input = this.quickInput.locator(".quick-input-filter input");
    await this.pick(name);
    await expect(input).toHaveValue(new RegExp(`/${name}/$`));
    // The dialog drops clicks, without a sign, until it has read the folder that it names.
    await expect(async () => {
      const accept = this.quickInput.getByRole("button", { name: "Use This Model" });
      if (await accept.isVisible()) await accept.click({ timeout: 1000 });
      await expect(this.quickInput).toBeHidden({ timeout: 2000 });
    }).toPass({ timeout: 30_000 });
  }

  async closeQuickInput(): Promise<void> {
    await this.page.keyboard.press("Escape");
    await expect(this.quickInput).toBeHidden();
  }

  /** A button of a notification or of a dialog. */
  button(of: Locator, title: string): Locator {
    return of.locator("a.monaco-button", { hasText: title });
  }

  /** An item of the status bar, by the id that the extension gave it. */
  statusItem(id: string): Locator {
    return this.page.locator(`.statusbar-item[id="${extensionId}.${id}"]`);
  }

  /** The tab of an open editor. */
  tab(name: string): Locator {
    return this.page.locator(`.tabs-container .tab[data-resource-name="${name}"]`);
  }

  /**
   * The context keys with their values, as "Developer: Inspect Context Keys" writes them to the
   * browser's console: extensions can set keys but not read them.
   */
  async contextKeys(): Promise<Record<string, unknown>> {
    const written = this.page.waitForEvent("console", (message) => message.type() === "log");
    await this.runCommand("Developer: Inspect Context Keys");
    await this.page.locator(".part.statusbar").click({ position: { x: 1, y: 1 } });
    const [value] = (await written).args();
    if (!value) throw new Error("The editor has written no context keys.");
    return (await value.jsonValue()) as Record<string, unknown>;
  }

  async #ready(): Promise<void> {
    await expect(this.page.locator(".monaco-workbench .part.statusbar")).toBeVisible({
      timeout: 60_000,
    });
    await this.host.evaluate(() => true);
  }
}
