import { readFile, writeFile } from "node:fs/promises";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { expectReadableEverywhere, setTheme, themes, widths } from "../harness/themes";

test("results and walkthrough can be read in every theme, wide and narrow", async ({
  workbench,
  walkthrough,
  results,
  editor,
}, testInfo) => {
  test.setTimeout(300_000);
  const { page } = workbench;

  await test.step("fill the results: done, at once, refused", async () => {
    await workbench.runCommand("Tenstorrent: Create the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    const script = `${editor.home}/tt-api-server-direct.py`;
    const text = await readFile(script, "utf8");
    await writeFile(script, text.replace("MAX_SEQ_LEN = 2048", "MAX_SEQ_LEN = 128"));
    await workbench.runCommand("Tenstorrent: Start the API Server");
    await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
    await workbench.runCommand("View: Close Editor"); // so that the results have the whole width

    await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
    await expect(results.part("card")).toHaveAttribute("data-status", "done", start);
    await workbench.runCommand("Tenstorrent: Test the API Server: Several Questions at Once");
    await expect(results.part("timeline-text").first()).toContainText("3 answers in", start);
    await results.part("prompt").fill("Is this too long? ".repeat(40));
    await results.part("ask").click();
    await expect(results.part("error").first()).toContainText("tokens", start);
    await results.part("prompt").fill("What is a KV cache?");
    await workbench.runCommand("View: Hide Panel");
  });

  await test.step("the results in every theme", async () => {
    await expect(results.part("card").first()).toBeVisible();
    await expectReadableEverywhere(workbench, results.frame, testInfo, "results");
  });

  await test.step("the walkthrough keeps its buttons when it is narrow", async () => {
    for (const { name, className } of themes) {
      await setTheme(workbench, name);
      await workbench.runCommand("Tenstorrent: Open the Walkthrough");
      for (const [word, width] of Object.entries(widths)) {
        await page.setViewportSize({ width, height: 900 });
        await walkthrough.select("batch");
        await expect(walkthrough.button("batch")).toBeInViewport();
        await keep(page, testInfo, `walkthrough-${className}-${word}`);
      }
    }
  });
});
