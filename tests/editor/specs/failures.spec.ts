import { createServer } from "node:net";
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

async function write(workbench: Workbench, path: string, text: string): Promise<void> {
  await workbench.host.evaluate(
    async (_, { path, text }) => {
      const { writeFile } = await import("node:fs/promises");
      await writeFile(path, text);
    },
    { path, text },
  );
}

async function stop(workbench: Workbench): Promise<void> {
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(workbench.statusItem("server")).toContainText("API server: stopped", start);
}

test.describe.configure({ mode: "serial" });

test("what is skipped is told and put right by one click", async ({ workbench, results }) => {
  await workbench.runCommand("Tenstorrent: Test the API Server: One Question");
  await expect(workbench.notifications).toContainText(
    "The server's script does not exist and the server is not running.",
  );
  await workbench.button(workbench.notifications, "Start the Server").click();
  await expect(results.part("answer")).toContainText("find patterns in examples", start);
  await stop(workbench);
});

test("stopping what does not run is told", async ({ workbench }) => {
  await workbench.runCommand("Tenstorrent: Stop the API Server");
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
}) => {
  await set(workbench, "model", "/no/such/model");
  await workbench.runCommand("Tenstorrent: Start the API Server");
  const message = workbench.notifications.filter({ hasText: "/no/such/model" });
  await expect(message).toBeVisible(start);
  await expect(workbench.statusItem("server")).toContainText("API server: failed");
  await workbench.button(message, "Choose a Model").click();
  await expect(workbench.quickInput).toBeVisible();
  await workbench.closeQuickInput();
  await set(workbench, "model", undefined);
});

test("a script that Python cannot read is told with its exit code", async ({
  workbench,
  editor,
  terminal,
}) => {
  await write(workbench, `${editor.home}/tt-api-server-direct.py`, "def broken(:\n");
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
  const backup = await workbench.host.evaluate(async (_, home) => {
    const { readFile } = await import("node:fs/promises");
    return readFile(`${home}/tt-api-server-direct.py.bak`, "utf8");
  }, editor.home);
  expect(backup).toBe("def broken(:\n");
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
  await workbench.runCommand("Tenstorrent: Start the API Server");
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
