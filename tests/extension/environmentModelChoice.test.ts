import { beforeEach, describe, expect, test, vi } from "vitest";
import type * as vscode from "vscode";

/** The editor's questions, answered by a list, and its settings and secrets. */
const editor = vi.hoisted(() => {
  interface Editor {
    picks: string[];
    inputs: (string | undefined)[];
    asked: { password?: boolean }[];
    user: Record<string, unknown>;
    workspace: Record<string, unknown>;
  }
  const fresh = (): Editor => ({ picks: [], inputs: [], asked: [], user: {}, workspace: {} });
  return { ...fresh(), reset: () => Object.assign(editor, fresh()) };
});

vi.mock("vscode", () => ({
  ConfigurationTarget: { Global: 1 },
  workspace: {
    workspaceFolders: undefined,
    getConfiguration: () => ({
      get: (name: string) => editor.workspace[name] ?? editor.user[name],
      update: (name: string, value: unknown, target: number) => {
        expect(target).toBe(1);
        editor.user[name] = value;
        return Promise.resolve();
      },
    }),
  },
  window: {
    showQuickPick: (items: readonly { label: string }[]) => {
      const wanted = editor.picks.shift();
      const found = items.find(({ label }) => wanted !== undefined && label.includes(wanted));
      if (wanted !== undefined) expect(found, wanted).toBeDefined();
      return Promise.resolve(found);
    },
    showInputBox: (options: { password?: boolean }) => {
      editor.asked.push(options);
      return Promise.resolve(editor.inputs.shift());
    },
  },
}));

const { chooseModel, readToken } = await import("../../extension/src/environment/model");

function secretStorage(): vscode.SecretStorage {
  const stored = new Map<string, string>();
  return {
    get: (key: string) => Promise.resolve(stored.get(key)),
    store: (key: string, value: string) => Promise.resolve(void stored.set(key, value)),
    delete: (key: string) => Promise.resolve(void stored.delete(key)),
  } as unknown as vscode.SecretStorage;
}

describe("choosing a model", () => {
  let secrets: vscode.SecretStorage;

  beforeEach(() => {
    secrets = secretStorage();
    editor.reset();
  });

  test("of the hub needs no token", async () => {
    editor.picks = ["hub", "No Hugging Face token"];
    editor.inputs = [" a/b "];
    expect(await chooseModel(secrets)).toBe(true);
    expect(editor.user).toEqual({ model: "a/b" });
    expect(editor.asked).toHaveLength(1);
  });

  test("of the hub keeps a token secret, and out of the settings", async () => {
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_secret"];
    expect(await chooseModel(secrets)).toBe(true);
    expect(await readToken(secrets)).toBe("hf_secret");
    expect(editor.user).toEqual({ model: "a/b" });
    expect(editor.asked[1]?.password).toBe(true);
  });

  test("again changes nothing, unless its token is another", async () => {
    editor.user = { model: "a/b" };
    editor.picks = ["hub", "No Hugging Face token"];
    editor.inputs = ["a/b"];
    expect(await chooseModel(secrets)).toBe(false);
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_new"];
    expect(await chooseModel(secrets)).toBe(true);
  });

  test("can remove the token", async () => {
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_secret"];
    await chooseModel(secrets);
    editor.picks = ["Remove the Hugging Face token"];
    expect(await chooseModel(secrets)).toBe(false);
    expect(await readToken(secrets)).toBeUndefined();
  });

  test.each([
    ["at the first question", [], []],
    ["at the name", ["hub"], [undefined]],
    ["at the question of a token", ["hub"], ["a/b"]],
    ["at the token", ["hub", "Enter a"], ["a/b", undefined]],
  ])("can be given up %s, and then nothing has changed", async (_when, picks, inputs) => {
    editor.picks = [...picks];
    editor.inputs = [...inputs];
    expect(await chooseModel(secrets)).toBe(false);
    expect(editor.user).toEqual({});
  });

  test("is told that the workspace's own setting wins", async () => {
    editor.workspace = { model: "/models/theirs" };
    editor.picks = ["ships"];
    await expect(chooseModel(secrets)).rejects.toThrow("this workspace sets tenstorrent.model");
  });
});
