import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import type { Health } from "../../../extension/src/server/api";
import { type Editor, plainEnvironment } from "../harness/editor";
import { expect, start, test } from "../harness/fixtures";
import { extensionId } from "../harness/manifest";
import { keep } from "../harness/pictures";
import { setTheme } from "../harness/themes";
import { Chat } from "../pages/chat";
import { ServerView } from "../pages/serverView";

test.describe.configure({ mode: "serial" });
// As a new user gets it: the chat stands open before anything of ours was done.
test.use({
  editorOptions: { settings: { "workbench.secondarySideBar.defaultVisibility": "visible" } },
});

/**
 * Have a script from an earlier day, in which each token takes long while the file `slow` exists,
 * and loading as long as the file `gate` does.
 */
async function leaveScript({ home }: Editor): Promise<void> {
  const script = join(home, "tt-api-server-direct.py");
  const python = join(root, ".venv/bin/python");
  execFileSync(python, ["-m", "ttdirect", "create", "--device", "cpu", "--output", script], {
    env: plainEnvironment(),
    stdio: "pipe",
  });
  const text = await readFile(script, "utf8");
  const step = /^( *)return generator\.decode_forward_text\(\n/m;
  const loading = /^( *)phase\(f"loading \{MODEL\}", 0\.05\)\n/m;
  expect(text).toMatch(step);
  expect(text).toMatch(loading);
  const slow = `if os.path.exists("${home}/slow"): __import__("time").sleep(0.3)\n`;
  const gate = `while os.path.exists("${home}/gate"): __import__("time").sleep(0.05)\n`;
  await writeFile(script, text.replace(step, `$1${slow}$&`).replace(loading, `$&$1${gate}`));
}

/** How many answers the server is busy with. */
async function running({ port }: Editor): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/health`);
  return ((await answer.json()) as Health).running;
}

test("the first question in a fresh window starts the server and is answered", async ({
  workbench,
  editor,
}, testInfo) => {
  test.setTimeout(240_000);
  await leaveScript(editor);
  const chat = new Chat(workbench.page);

  await test.step("typed at once, before anything has woken the extension", async () => {
    const isActive = await workbench.host.evaluate(
      (vscode, id) => vscode.extensions.getExtension(id)?.isActive,
      extensionId,
    );
    expect(isActive).toBe(false);
    await chat.typeByHand("@tt What is machine learning?");
    await expect(chat.answer).toContainText("Your API server does not run.");
    await keep(workbench.page, testInfo, "stopped");
    await chat.button("Start the Server").click();
    await expect(chat.answer).toContainText("find patterns in examples", start);
    await expect(chat.answer).toContainText("tokens/s");
    await expect(chat.model("ttdirect-demo")).toBeVisible();
  });

  await test.step("goes on by a follow-up", async () => {
    await chat.followups.filter({ hasText: "What is a KV cache?" }).click();
    await expect(chat.answer).toContainText("keys and values");
    await expect(chat.answer).toContainText("tokens/s");
  });

  await test.step("takes a selection, and a file", async () => {
    await workbench.runCommand("Tenstorrent: Open the API Server Script");
    await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
    await workbench.host.evaluate((vscode) => {
      const opened = vscode.window.activeTextEditor;
      if (opened) opened.selection = new vscode.Selection(10, 0, 49, 1);
    });
    await workbench.runCommand("Chat: Add Selection to Chat");
    await expect(chat.attachment("tt-api-server-direct.py:11-50")).toBeVisible();
    await chat.ask("What is this?");
    await expect(chat.answer).toContainText("I did not understand that");
    await expect(chat.answer).toContainText("tokens/s");
    await workbench.runCommand("Chat: Add File to Chat");
    await expect(chat.attachment("tt-api-server-direct.py")).toBeVisible();
    await chat.ask("What does the server script do?");
    await expect(chat.answer).not.toContainText("I did not understand that");
    await expect(chat.answer).toContainText("tokens/s");
    // What is selected would go along with the next questions.
    await workbench.runCommand("View: Close Editor");
    await expect(workbench.tab("tt-api-server-direct.py")).toHaveCount(0);
  });

  await test.step("is listed with what it has cost", async () => {
    const view = new ServerView(workbench.page);
    await view.open("Tenstorrent");
    await expect(view.row("What is this?")).toContainText("tokens/s");
    await view.open("Explorer");
  });

  await test.step("knows what stands behind a slash", async () => {
    // Each says what the one before it does not say: earlier answers leave the page on their own.
    const commands = {
      "/health": "/health answered in",
      "/test": "in the same steps",
      "/compare Write a haiku about the sea": "Temperature 1.2",
      "/explain the routes": "tokens/s",
      "/fix": "Nothing has gone wrong",
    };
    for (const [command, said] of Object.entries(commands)) {
      await chat.ask(command);
      await expect(chat.answer).toContainText(said);
      await expect(chat.send).toBeVisible(); // the answer is complete
      if (command === "/test") await keep(workbench.page, testInfo, "test");
    }
  });

  await test.step("can be read in every theme, wide and narrow", async () => {
    const classes = {
      "Dark 2026": /\bvs-dark\b/,
      "Default High Contrast": /\bhc-black\b/,
      "Default High Contrast Light": /\bhc-light\b/,
      "Light 2026": /\bvs\b/,
    };
    for (const [theme, className] of Object.entries(classes)) {
      await setTheme(workbench, theme);
      await expect(workbench.page.locator(".monaco-workbench")).toHaveClass(className);
      await keep(workbench.page, testInfo, `chat-${theme}`);
    }
    await workbench.page.setViewportSize({ width: 760, height: 900 });
    await keep(workbench.page, testInfo, "chat-narrow");
  });
});

test("another extension gets an answer, and knows the limits", async ({ workbench }) => {
  await workbench.runCommand("Tenstorrent: Open the Chat");
  const chat = new Chat(workbench.page);
  await expect(chat.input).toContainText("@tt");
  await expect(chat.model("ttdirect-demo")).toBeVisible();

  const got = await workbench.host.evaluate(async (vscode) => {
    const [model] = await vscode.lm.selectChatModels({ vendor: "ttdirect" });
    if (!model) return undefined;
    const ask = (text: string) => vscode.LanguageModelChatMessage.User(text);
    const response = await model.sendRequest([ask("What is machine learning?")]);
    let text = "";
    for await (const piece of response.text) text += piece;
    const tokens = await model.countTokens("What is machine learning?");
    // The model that ships knows no tools: it gets none, and answers all the same.
    const tools = [{ name: "look", description: "Look." }];
    const withTools = await model.sendRequest([ask("What is a KV cache?")], { tools });
    let more = "";
    for await (const piece of withTools.text) more += piece;
    return { text, more, tokens, family: model.family, limit: model.maxInputTokens };
  });
  expect(got).toMatchObject({ family: "ttdirect-demo", limit: 1536, tokens: 5 });
  expect(got?.text).toContain("find patterns in examples");
  expect(got?.more).toContain("keys and values");
});

test("an answer that is stopped frees its slot", async ({ workbench, editor }, testInfo) => {
  test.setTimeout(240_000);
  const chat = new Chat(workbench.page);
  await writeFile(join(editor.home, "slow"), "");

  await test.step("by the chat's own button", async () => {
    await workbench.runCommand("Tenstorrent: Open the Chat");
    await expect(chat.input).toContainText("@tt");
    await chat.ask("What is machine learning?");
    await expect(chat.answer).toContainText("Machine learning is");
    expect(await running(editor)).toBe(1);
    await keep(workbench.page, testInfo, "answering");
    await chat.stop.click();
    await expect.poll(() => running(editor)).toBe(0);
    await expect(chat.send).toBeVisible();
    await expect(chat.answer).not.toContainText("tokens/s");
  });

  await test.step("by another extension", async () => {
    const first = await workbench.host.evaluate(async (vscode) => {
      const [model] = await vscode.lm.selectChatModels({ vendor: "ttdirect" });
      const giveUp = new vscode.CancellationTokenSource();
      const question = vscode.LanguageModelChatMessage.User("What is machine learning?");
      const response = await model?.sendRequest([question], {}, giveUp.token);
      for await (const piece of response?.text ?? []) {
        giveUp.cancel();
        return piece;
      }
      return undefined;
    });
    expect(first).toBeTruthy();
    await expect.poll(() => running(editor)).toBe(0);
  });

  await rm(join(editor.home, "slow"));
});

test("a question to a server that loads waits for it, and is answered", async ({
  workbench,
  editor,
}) => {
  test.setTimeout(240_000);
  const chat = new Chat(workbench.page);
  await workbench.runCommand("Tenstorrent: Open the Chat");
  await expect(chat.input).toContainText("@tt");
  await writeFile(join(editor.home, "gate"), "");
  await workbench.runCommand("Tenstorrent: Restart the API Server");
  await expect(workbench.statusItem("server")).toContainText("loading demo", start);
  await chat.ask("What is prefill?");
  await expect(chat.answer).toContainText("The server is loading demo");
  await rm(join(editor.home, "gate"));
  await expect(chat.answer).toContainText("tokens/s", start);
  await expect(chat.answer).not.toContainText("does not run");

  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(workbench.statusItem("server")).toContainText("API server: stopped", start);
  await expect(workbench.notifications).toHaveCount(0);
});
