import { test as base } from "@playwright/test";
import { basename, join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { Results } from "../pages/results";
import { Terminal } from "../pages/terminal";
import { Walkthrough } from "../pages/walkthrough";
import { Workbench } from "../pages/workbench";
import { Editor, type EditorOptions } from "./editor";

export { expect } from "@playwright/test";

/** For what has to wait until a model is loaded. */
export const start = { timeout: 90_000 };

/** The editor that runs, and the test file for which it was started. */
class CurrentEditor {
  #current: { readonly file: string; readonly editor: Editor } | undefined;

  async for(file: string, options: EditorOptions): Promise<Editor> {
    if (this.#current?.file !== file) {
      await this.stop();
      this.#current = { file, editor: await Editor.start(options) };
    }
    return this.#current.editor;
  }

  async stop(): Promise<void> {
    if (!this.#current) return;
    const { file, editor } = this.#current;
    this.#current = undefined;
    await editor.stop(join(root, "test-results/editor-logs", basename(file, ".spec.ts")));
  }
}

interface TestFixtures {
  /** Set by `test.use` at the top of a file, whose tests share one editor. */
  readonly editorOptions: EditorOptions;
  readonly editor: Editor;
  /** A window with an empty workspace, open and ready. */
  readonly workbench: Workbench;
  readonly walkthrough: Walkthrough;
  readonly terminal: Terminal;
  readonly results: Results;
}

interface WorkerFixtures {
  readonly currentEditor: CurrentEditor;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  currentEditor: [
    // Playwright insists on a pattern here, also for nothing.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const current = new CurrentEditor();
      await use(current);
      await current.stop();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  editorOptions: [{}, { option: true }],
  editor: [
    async ({ currentEditor, editorOptions }, use, testInfo) => {
      await use(await currentEditor.for(testInfo.file, editorOptions));
    },
    { timeout: 120_000 },
  ],
  workbench: [
    async ({ editor, page }, use) => {
      await use(await Workbench.open(editor, page));
    },
    { timeout: 120_000 },
  ],
  walkthrough: async ({ workbench }, use) => use(new Walkthrough(workbench.page)),
  terminal: async ({ workbench }, use) => use(new Terminal(workbench.page)),
  results: async ({ workbench }, use) => use(new Results(workbench.page)),
});
