import { readFile, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import type { Editor } from "../harness/editor";
import { expect, start, test } from "../harness/fixtures";
import type { Workbench } from "../pages/workbench";

interface NoteOfServer {
  readonly pid: number;
  readonly failure: unknown;
}

/** Change a setting as a user does in the settings editor; undefined removes it. */
async function set(workbench: Workbench, name: string, value: unknown): Promise<void> {
  await workbench.host.evaluate(
    async (vscode, { name, value }) => {
      const target = vscode.ConfigurationTarget.Global;
      await vscode.workspace.getConfiguration("tenstorrent").update(name, value, target);
    },
    { name, value },
  );
}

const scriptOf = (editor: Editor): string => `${editor.home}/tt-api-server-direct.py`;

/** Change the user's script as its user does, start it, and change it back. */
async function startChanged(
  workbench: Workbench,
  editor: Editor,
  change: (script: string) => string,
): Promise<void> {
  const script = await readFile(scriptOf(editor), "utf8");
  const changed = change(script);
  expect(changed).not.toBe(script);
  await writeFile(scriptOf(editor), changed);
  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(workbench.statusItem("server")).toContainText("API server: failed", start);
  await writeFile(scriptOf(editor), script);
}

async function stop(workbench: Workbench): Promise<void> {
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(workbench.statusItem("server")).toContainText("API server: stopped", start);
}

test.describe.configure({ mode: "serial" });

test("what is skipped is told and put right by one click", async ({ workbench, results }) => {
  await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
  await expect(workbench.notifications).toContainText(
    "The server's script does not exist. The server is not running.",
  );
  await workbench.button(workbench.notifications, "Start the Server").click();
  await expect(results.part("answer")).toContainText("find patterns in examples", start);
  await stop(workbench);
});

test("stopping what does not run is not offered, and told to whoever does it", async ({
  workbench,
}) => {
  await workbench.runCommand("Tenstorrent: Show Results"); // wakes the extension
  await expect(workbench.statusItem("server")).toContainText("API server: stopped");
  await workbench.findCommand("Tenstorrent: St");
  await expect(workbench.command("Tenstorrent: Start the API Server")).toBeVisible();
  await expect(workbench.command("Tenstorrent: Stop the API Server")).toHaveCount(0);
  await workbench.closeQuickInput();
  await workbench.host.evaluate((vscode) =>
    vscode.commands.executeCommand("tenstorrent.stopApiServerDirect"),
  );
  await expect(workbench.notifications).toContainText("The server is not running.");
});

test("a port that another program has is left to it", async ({ workbench, terminal, editor }) => {
  const stranger = createServer((socket) => socket.end("not HTTP\n"));
  await new Promise<void>((resolve) => stranger.listen(editor.port, "127.0.0.1", resolve));
  try {
    await workbench.runCommand("Tenstorrent: Start the API Server");
    await expect
      .poll(() => terminal.text(), start) // the terminal of the last server stays for a moment
      .toMatch(new RegExp(`Server ready on http://127\\.0\\.0\\.1:(?!${editor.port}\\b)`));
    expect(await terminal.text()).not.toContain(`:${editor.port}`);
    await expect(workbench.statusItem("server")).toContainText("ttdirect-demo");
    await stop(workbench);
  } finally {
    stranger.close();
  }
});

test("a terminal of an earlier server that comes back late does not cover the new one", async ({
  workbench,
  terminal,
}) => {
  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
  await workbench.host.evaluate((vscode) => {
    // As the editor brings one back after a reload.
    vscode.window.createTerminal({ name: "API Server" }).show();
  });
  await expect(terminal.tabs).toHaveCount(0); // tabs are there for two and more
  await expect.poll(() => terminal.text()).toContain("Server ready on http://127.0.0.1:");
  await stop(workbench);
});

test("a model that does not exist is named, with a way to choose another", async ({
  workbench,
  walkthrough,
}) => {
  await walkthrough.open(workbench);
  await workbench.runCommand("Tenstorrent: Reset the Walkthrough");
  await walkthrough.expectNotTicked("start");
  await set(workbench, "model", "/no/such/model");
  await workbench.runCommand("Tenstorrent: Start the API Server");
  const message = workbench.notifications.filter({ hasText: "/no/such/model" });
  await expect(message).toBeVisible(start);
  await expect(workbench.statusItem("server")).toContainText("API server: failed");
  await workbench.button(message, "Choose a Model").click();
  await expect(workbench.quickInput).toContainText("The model that ships");
  await workbench.closeQuickInput();
  await set(workbench, "model", undefined);
  // Only a server that answers ticks the step, not the click that wanted one.
  await walkthrough.expectNotTicked("start");
  await workbench.runCommand("Tenstorrent: Start the API Server");
  await walkthrough.expectTicked("start", start);
  await stop(workbench);
});

test("a folder without a checkpoint is told so", async ({ workbench, editor }) => {
  await set(workbench, "model", editor.home);
  await workbench.runCommand("Tenstorrent: Start the API Server");
  const message = workbench.notifications.filter({ hasText: editor.home });
  await expect(message).toContainText("config.json", start);
  await expect(workbench.button(message, "Choose a Model")).toBeVisible();
  await set(workbench, "model", undefined);
});

test("memory that does not suffice is told before anything is loaded", async ({
  workbench,
  editor,
}) => {
  await startChanged(workbench, editor, (script) =>
    script.replace("CACHE_TOKENS = 32_768", "CACHE_TOKENS = 65_536_000"),
  );
  const message = workbench.notifications.filter({ hasText: "GiB are free" });
  await expect(message).toContainText("The model needs");
  await expect(workbench.button(message, "Choose a Model")).toBeVisible();
  await workbench.button(message, "Open the Script").click();
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
});

test("a package that is missing can be installed by a click", async ({ workbench, editor }) => {
  await startChanged(workbench, editor, (script) =>
    script.replace("    from flask import", "    import no_such_package\n    from flask import"),
  );
  const message = workbench.notifications.filter({ hasText: "could not import" });
  await expect(workbench.button(message, "Install")).toBeVisible();
});

test("listening to everybody without a key is refused", async ({ workbench, editor }) => {
  await startChanged(workbench, editor, (script) =>
    script.replace('HOST = "127.0.0.1"', 'HOST = "0.0.0.0"'),
  );
  const message = workbench.notifications.filter({ hasText: "without a key" });
  await expect(workbench.button(message, "Open the Script")).toBeVisible();
});

test("a server of ours that belongs to another user is left alone", async ({
  workbench,
  editor,
}) => {
  const health = { status: "healthy", model_loaded: true, max_batch_size: 32 };
  const others = createHttpServer((_, answer) => answer.end(JSON.stringify(health)));
  await new Promise<void>((resolve) => others.listen(editor.port, "127.0.0.1", resolve));
  try {
    await workbench.runCommand("Tenstorrent: Start the API Server");
    const message = workbench.notifications.filter({ hasText: "another user" });
    await workbench.button(message, "Open Settings").click();
    await expect(workbench.page.locator(".settings-editor")).toContainText("Port");
  } finally {
    others.close();
  }
});

test("a script that Python cannot read is told with its exit code", async ({
  workbench,
  editor,
  terminal,
}) => {
  await writeFile(scriptOf(editor), "def broken(:\n");
  await workbench.runCommand("Tenstorrent: Start the API Server");
  const message = workbench.notifications.filter({ hasText: "exit code 1" });
  await expect(message).toBeVisible(start);
  await workbench.button(message, "Show Terminal").click();
  await expect.poll(() => terminal.text()).toContain("SyntaxError");
});

test("a changed script is not replaced unasked, and kept as a backup", async ({
  workbench,
  editor,
}) => {
  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.dialog).toContainText("holds changes of yours");
  await workbench.button(workbench.dialog, "Replace, Keep a Backup").click();
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible();
  expect(await readFile(`${scriptOf(editor)}.bak`, "utf8")).toBe("def broken(:\n");
});

test("a server that is killed is a failure with the next step", async ({ workbench, editor }) => {
  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
  await workbench.host.evaluate(async (_, home) => {
    const { readdir, readFile } = await import("node:fs/promises");
    const folder = `${home}/.cache/ttdirect/servers`;
    for (const name of await readdir(folder)) {
      const note = JSON.parse(await readFile(`${folder}/${name}`, "utf8")) as NoteOfServer;
      // Its group: the worker must not outlive it. Failed servers have left notes, too.
      if (!note.failure) process.kill(-note.pid, "SIGKILL");
    }
  }, editor.home);
  await expect(workbench.statusItem("server")).toContainText("API server: failed", start);
  // Nobody was waiting for it, so the window that has its terminal says so by itself.
  const message = workbench.notifications.filter({ hasText: "ended without a word" });
  await expect(workbench.button(message, "Choose a Model")).toBeVisible();
  await workbench.button(message, "Start Again").click();
  await expect(workbench.statusItem("server")).toContainText("ttdirect-demo", start);
  await stop(workbench);
});

test("an interpreter that does not exist is named", async ({ workbench }) => {
  await set(workbench, "interpreter", "/no/such/python");
  await workbench.runCommand("Tenstorrent: Check Your Machine");
  const message = workbench.notifications.filter({ hasText: "/no/such/python" });
  await expect(message).toBeVisible();
  await workbench.button(message, "Choose Interpreter").click();
  await expect(workbench.quickInput).toBeVisible();
  await workbench.closeQuickInput();
});
