import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { Results } from "../pages/results";
import { ServerView } from "../pages/serverView";
import { Walkthrough } from "../pages/walkthrough";
import { Workbench } from "../pages/workbench";

test("an editor that speaks German shows the extension in German", async ({
  editor,
  page,
}, testInfo) => {
  // As a language pack says it. The editor's own words stay English, since none is installed.
  await page.addInitScript(() => Object.assign(globalThis, { _VSCODE_NLS_LANGUAGE: "de" }));
  const workbench = await Workbench.open(editor, page, "german");
  const walkthrough = new Walkthrough(page);
  const view = new ServerView(page);
  const results = new Results(page);

  await test.step("the palette and the walkthrough", async () => {
    await workbench.runCommand("Tenstorrent: Exemplarische Vorgehensweise öffnen");
    await expect(walkthrough.step("machine")).toContainText("Ihren Computer prüfen");
    await expect(walkthrough.step("install")).toContainText("Flask und ttdirect installieren");
    await keep(page, testInfo, "german-walkthrough");
  });

  await test.step("the view and the status bar", async () => {
    await view.open("Tenstorrent");
    await expect(workbench.button(view.bar, "API-Server starten")).toBeVisible();
    await expect(workbench.statusItem("server")).toContainText("API-Server: beendet", start);
  });

  await test.step("a page", async () => {
    await workbench.runCommand("Tenstorrent: Ergebnisse anzeigen");
    await expect(results.part("empty")).toContainText("Noch keine Anforderungen");
    await expect(results.part("ask")).toHaveText("Fragen");
    await keep(page, testInfo, "german-results");
  });

  await test.step("a question", async () => {
    await workbench.runCommand("Tenstorrent: API-Server testen: Zustand");
    await expect(workbench.notifications).toContainText("Der Server läuft nicht.");
    await expect(workbench.button(workbench.notifications, "Server starten")).toBeVisible();
  });
});
