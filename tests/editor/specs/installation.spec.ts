import { expect, test } from "../harness/fixtures";
import { extensionId } from "../harness/manifest";

test.use({ editorOptions: { installed: false } });

test("is installed into an open window without a reload, and asks nothing", async ({
  editor,
  workbench,
  walkthrough,
}) => {
  await editor.install();
  await expect
    .poll(() =>
      workbench.host.evaluate(
        (vscode, id) => vscode.extensions.getExtension(id) != null,
        extensionId,
      ),
    )
    .toBe(true);
  await walkthrough.open(workbench);
  await expect(workbench.notifications).toHaveCount(0);
});
