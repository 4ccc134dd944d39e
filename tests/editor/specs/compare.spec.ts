import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { expect, start, test } from "../harness/fixtures";
import { keep } from "../harness/pictures";
import { expectReadableEverywhere } from "../harness/themes";
import { ServerView } from "../pages/serverView";
import { Webview } from "../pages/webview";

test.use({ permissions: ["clipboard-read", "clipboard-write"] });

const key = "a-key-of-theirs";

/** Somebody else's server: it wants its key, and at "Wait" says one word and no more. */
function otherServer(): Server {
  return createServer((request, response) => {
    if (request.headers.authorization !== `Bearer ${key}`) {
      response.writeHead(401, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ error: { message: "An API key is missing." } }));
    } else if (request.url === "/v1/models") {
      response.end(JSON.stringify({ data: [{ id: "their-model" }] }));
    } else {
      void (json(request) as Promise<{ messages: { content: string }[] }>).then((body) => {
        const send = (event: object): void =>
          void response.write(`data: ${JSON.stringify(event)}\n\n`);
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        send({ choices: [{ delta: { content: "Their" }, finish_reason: null }] });
        if (body.messages[0]?.content === "Wait") return;
        send({ choices: [{ delta: { content: " answer." }, finish_reason: "stop" }] });
        response.end("data: [DONE]\n\n");
      });
    }
  });
}

test("one question at two temperatures, on two servers", async ({ workbench }, testInfo) => {
  test.setTimeout(300_000);
  const { page } = workbench;
  const compare = new Webview(page);
  const cards = compare.part("card");
  const other = otherServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;

  await test.step("opens empty, and starts the server on request", async () => {
    await workbench.runCommand("Tenstorrent: Create the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
    await workbench.runCommand("View: Close Editor");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeHidden();
    await workbench.runCommand("Tenstorrent: Compare Answers");
    await expect(compare.part("empty")).toBeVisible();
    await compare.part("start-server").click();
    await expect(compare.part("server-state")).toContainText("ttdirect-demo", start);
    await workbench.runCommand("View: Hide Panel");
  });

  await test.step("an error in one column does not hurt the others", async () => {
    await compare.part("prompt").fill("What is a KV cache?");
    await compare.part("temperatures").fill("0, 1.5");
    await compare.part("other-server").fill(`${address}/v1`);
    await compare.part("compare").click();
    await expect(cards).toHaveCount(4);
    for (const [index, status] of ["done", "failed", "done", "failed"].entries()) {
      await expect(cards.nth(index)).toHaveAttribute("data-status", status, start);
    }
    await expect(cards.nth(1).getByTestId("error")).toContainText('button "Key"');
  });

  await test.step("a key that is entered is kept, and used", async () => {
    await compare.part("other-key").click();
    await expect(workbench.quickInput).toContainText("API Key of");
    await workbench.quickInput.locator("input[type=password]").fill(key);
    await page.keyboard.press("Enter");
    await expect(compare.part("other-key")).toHaveText("Key is kept");
    await compare.part("repeat-all").click();
    await expect(cards).toHaveCount(8);
    for (const index of [0, 1, 2, 3]) {
      await expect(cards.nth(index)).toHaveAttribute("data-status", "done", start);
    }
    await expect(cards.nth(1)).toContainText("Their answer.");
    await expect(cards.nth(1)).toContainText("their-model");
  });

  await test.step("is listed in the server view, without what another server was asked", async () => {
    const view = new ServerView(page);
    await view.open("Tenstorrent");
    await expect(view.row("What is a KV cache?")).toHaveCount(4);
    await expect(view.row("What is a KV cache?").first()).toContainText("tokens/s");
    await view.open("Explorer");
  });

  await test.step("copies an answer", async () => {
    await cards.nth(1).getByTestId("copy-answer").click();
    await expect(cards.nth(1).getByTestId("copy-answer")).toHaveText("Copied");
    const copied = await workbench.host.evaluate((vscode) => vscode.env.clipboard.readText());
    expect(copied).toBe("Their answer.");
  });

  await test.step("cancels what still runs", async () => {
    await compare.part("prompt").fill("Wait");
    await compare.part("compare").click();
    await expect(cards).toHaveCount(12); // those before say "Their", too
    await expect(cards.nth(1)).toContainText("Their");
    await compare.part("cancel-all").first().click();
    await expect(cards.nth(1)).toHaveAttribute("data-status", "cancelled");
    await expect(cards.nth(3)).toHaveAttribute("data-status", "cancelled");
  });

  await test.step("can be read in every theme, wide and narrow", async () => {
    await expectReadableEverywhere(workbench, compare.frame, testInfo, "compare");
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  await test.step("keeps everything over a reload", async () => {
    await workbench.reload();
    await expect(cards).toHaveCount(12, start);
    await expect(compare.part("prompt")).toHaveValue("Wait");
    await expect(compare.part("other-key")).toHaveText("Key is kept");
    await keep(page, testInfo, "compare-reloaded");
  });
  await new Promise((resolve) => {
    other.close(resolve);
    other.closeAllConnections();
  });
});
