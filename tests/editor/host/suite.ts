/** What the extension promises to other code in its host: commands, their order, their effects. */

import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as vscode from "vscode";
import { commands, extensionId, languageModelTools } from "../../../extension/src/ids";

const notes = join(homedir(), ".cache/ttdirect/servers");

interface Note {
  readonly pid: number;
  readonly address: string;
}

async function runningServers(): Promise<readonly Note[]> {
  const names = await readdir(notes).catch(() => []);
  return Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(notes, name), "utf8")) as Note),
  );
}

function folder(): string {
  const [first] = vscode.workspace.workspaceFolders ?? [];
  assert(first);
  return first.uri.fsPath;
}

/** What the host knows of the window follows a moment later. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}

function webviews(): readonly string[] {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.flatMap(({ input, label }) =>
    input instanceof vscode.TabInputWebview ? [label] : [],
  );
}

/** What the tools tell of the server's health. */
interface Told {
  readonly status: string;
  readonly address?: string;
  readonly url?: string;
}

/** Call a tool as an agent's code does; gives its text. */
async function invoke(tool: string, input: object): Promise<string> {
  const options = { input, toolInvocationToken: undefined };
  const { content } = await vscode.lm.invokeTool(tool, options);
  const texts = content.filter((part) => part instanceof vscode.LanguageModelTextPart);
  return texts.map(({ value }) => value).join("\n");
}

const settings = () => vscode.workspace.getConfiguration("tenstorrent");
const run = (command: string, ...more: unknown[]) =>
  vscode.commands.executeCommand(command, ...more);

void describe("the extension", () => {
  void test("a Python file wakes the extension, and every command is there", async () => {
    const extension = vscode.extensions.getExtension(extensionId);
    assert(extension);
    assert.equal(extension.extensionKind, vscode.ExtensionKind.Workspace);
    await vscode.workspace.openTextDocument({ language: "python", content: "" });
    const all = async () => new Set(await vscode.commands.getCommands(true));
    await until(() => extension.isActive);
    const known = await all();
    assert.deepEqual(
      Object.values(commands).filter((id) => !known.has(id)),
      [],
    );
  });

  void test("the script is written where the setting says, with its variable replaced", async () => {
    const path = "${workspaceFolder}/server.py";
    await settings().update("scriptPath", path, vscode.ConfigurationTarget.Workspace);
    await run(commands.createScript);
    const script = join(folder(), "server.py");
    assert.notEqual((await stat(script)).mode & 0o100, 0, "it should be executable");
    assert.equal(vscode.window.activeTextEditor?.document.uri.fsPath, script);
  });

  void test("a section's number leads to its heading", async () => {
    for (const section of [1, 2, 3, 4, 5]) {
      await run(commands.openScript, section);
      const editor = vscode.window.activeTextEditor;
      const line = editor?.document.lineAt(editor.selection.active.line).text;
      assert.match(line ?? "", new RegExp(`^# ${section}\\. `));
    }
  });

  void test("two starts at once are one server, and both wait until it answers", async () => {
    await Promise.all([run(commands.start), run(commands.start)]);
    const [note, ...others] = await runningServers();
    assert(note);
    assert.deepEqual(others, []);
    const answer = await fetch(`${note.address}/health`);
    assert.equal(answer.status, 200);
  });

  void test("the server's terminal has its name, folder and variables, and no secret", () => {
    const mine = vscode.window.terminals.filter(({ name }) => name === "API Server");
    assert.equal(mine.length, 1);
    const options = mine[0]?.creationOptions as vscode.TerminalOptions;
    assert.equal(options.cwd, folder());
    assert.deepEqual(options.env, { HF_MODEL: "demo" });
  });

  void test("a question is answered when its command ends, beside the script", async () => {
    const before = vscode.window.activeTextEditor?.document.uri.fsPath;
    await run(commands.testCustom, { prompt: "What is machine learning?", max_tokens: 8 });
    await until(() => webviews().includes("API Results"));
    assert.equal(webviews().length, 1);
    assert.equal(vscode.window.activeTextEditor?.document.uri.fsPath, before);
  });

  void test("agents look how the server is, and ask its model", async () => {
    const [note] = await runningServers();
    const told = JSON.parse(await invoke(languageModelTools.health, {})) as Told;
    assert.deepEqual([told.status, told.address], ["healthy", note?.address]);
    const question = { prompt: "What is machine learning?", max_tokens: 8 };
    const answer = await invoke(languageModelTools.chat, question);
    assert.match(answer, /\S[^]*\n\(8 tokens in \d+\.\d\d s; cut off at max_tokens\)$/);
  });

  void test("the editor starts our MCP server, and its tools reach the server", async () => {
    const find = () => vscode.lm.tools.find(({ name }) => name.endsWith("_server_health"));
    assert.equal(find(), undefined);
    await run("workbench.mcp.startServer", "*");
    await until(() => find() !== undefined);
    const [note] = await runningServers();
    const told = JSON.parse(await invoke(find()?.name ?? "", {})) as Told;
    assert.deepEqual([told.status, told.url], ["healthy", note?.address]);
  });

  void test("a restart is another process at the same address", async () => {
    const [before] = await runningServers();
    await run(commands.restart);
    const [after] = await runningServers();
    assert.equal(after?.address, before?.address);
    assert.notEqual(after?.pid, before?.pid);
  });

  void test("after a stop there is no server and no note of one", async () => {
    await run(commands.stop);
    assert.deepEqual(await runningServers(), []);
  });
});
