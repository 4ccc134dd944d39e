import { beforeEach, describe, expect, test, vi } from "vitest";
import type * as vscode from "vscode";
import type { KnownModel } from "../../extension/src/environment/modelCatalogue";
import { RecentModels } from "../../extension/src/environment/modelRecents";

type Rows = readonly { readonly label: string }[];

/** The editor's questions, answered by a list, and its settings and secrets. */
const editor = vi.hoisted(() => {
  interface Editor {
    picks: string[];
    inputs: (string | undefined)[];
    asked: { password?: boolean }[];
    warned: string[];
    answer: string | undefined;
    commands: string[];
    user: Record<string, unknown>;
    workspace: Record<string, unknown>;
  }
  const fresh = (): Editor => ({
    ...{ picks: [], inputs: [], asked: [], warned: [], answer: undefined },
    ...{ commands: [], user: {}, workspace: {} },
  });
  return { ...fresh(), reset: () => Object.assign(editor, fresh()) };
});

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  ConfigurationTarget: { Global: 1 },
  commands: { executeCommand: (id: string) => Promise.resolve(void editor.commands.push(id)) },
  workspace: {
    workspaceFolders: undefined,
    getConfiguration: () => ({
      inspect: (name: string) => ({ workspaceValue: editor.workspace[name] }),
      get: (name: string) => editor.workspace[name] ?? editor.user[name],
      update: (name: string, value: unknown, target: number) => {
        expect(target).toBe(1);
        editor.user[name] = value;
        return Promise.resolve();
      },
    }),
  },
  window: {
    showQuickPick: async (rows: Rows | Promise<Rows>) => {
      const items = await rows;
      const wanted = editor.picks.shift();
      const found = items.find(({ label }) => wanted !== undefined && label.includes(wanted));
      if (wanted !== undefined) expect(found, wanted).toBeDefined();
      return found;
    },
    showInputBox: (options: { password?: boolean }) => {
      editor.asked.push(options);
      return Promise.resolve(editor.inputs.shift());
    },
    showWarningMessage: (message: string, { detail }: { detail: string }) => {
      editor.warned.push(`${message} ${detail}`);
      return Promise.resolve(editor.answer);
    },
    showInformationMessage: (message: string) => {
      editor.warned.push(message);
      return Promise.resolve(editor.answer);
    },
  },
}));

const { chooseModel, tellNextStart } = await import("../../extension/src/environment/modelChoice");
const { readToken } = await import("../../extension/src/environment/modelToken");

function secretStorage(): vscode.SecretStorage {
  const stored = new Map<string, string>();
  return {
    get: (key: string) => Promise.resolve(stored.get(key)),
    store: (key: string, value: string) => Promise.resolve(void stored.set(key, value)),
    delete: (key: string) => Promise.resolve(void stored.delete(key)),
  } as unknown as vscode.SecretStorage;
}

function memory(): vscode.Memento {
  const kept = new Map<string, unknown>();
  return {
    get: (key: string, otherwise: unknown) => kept.get(key) ?? otherwise,
    update: (key: string, value: unknown) => Promise.resolve(void kept.set(key, value)),
  } as unknown as vscode.Memento;
}

/** A model of the hub that would have to be downloaded. */
function onHub(id: string, changes: Partial<KnownModel> = {}): KnownModel {
  return {
    ...{ id, origin: "recommended", is_here: false, parameters: 1e9, download_bytes: 2e9 },
    ...{ needs_account: false, fits: "yes", reason: "needs 1 GiB", tokens_per_second: null },
    ...changes,
  };
}

/** Choosing, with what was downloaded on the way; `catalogue` is what the backend knows. */
function tools(catalogue?: readonly KnownModel[]) {
  const downloads: (readonly [string, string | undefined])[] = [];
  const download = (model: string, token: string | undefined): Promise<void> => {
    downloads.push([model, token]);
    return Promise.resolve();
  };
  return {
    secrets: secretStorage(),
    recents: new RecentModels(memory()),
    catalogue: () => Promise.resolve(catalogue),
    download,
    downloads,
  };
}

beforeEach(() => editor.reset());

describe("choosing a model", () => {
  let given: ReturnType<typeof tools>;

  beforeEach(() => (given = tools()));

  test("of the hub needs no token", async () => {
    editor.picks = ["hub", "No Hugging Face token"];
    editor.inputs = [" a/b "];
    expect(await chooseModel(given)).toBe(true);
    expect(editor.user).toEqual({ model: "a/b" });
    expect(editor.asked).toHaveLength(1);
  });

  test("of the hub keeps a token secret, and out of the settings", async () => {
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_secret"];
    expect(await chooseModel(given)).toBe(true);
    expect(await readToken(given.secrets)).toBe("hf_secret");
    expect(editor.user).toEqual({ model: "a/b" });
    expect(editor.asked[1]?.password).toBe(true);
  });

  test("again changes nothing, unless its token is another", async () => {
    editor.user = { model: "a/b" };
    editor.picks = ["hub", "No Hugging Face token"];
    editor.inputs = ["a/b"];
    expect(await chooseModel(given)).toBe(false);
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_new"];
    expect(await chooseModel(given)).toBe(true);
  });

  test("can remove the token", async () => {
    editor.picks = ["hub", "Enter a Hugging Face token"];
    editor.inputs = ["a/b", "hf_secret"];
    await chooseModel(given);
    editor.picks = ["Remove the Hugging Face token"];
    expect(await chooseModel(given)).toBe(false);
    expect(await readToken(given.secrets)).toBeUndefined();
  });

  test.each([
    ["at the first question", [], []],
    ["at the name", ["hub"], [undefined]],
    ["at the question of a token", ["hub"], ["a/b"]],
    ["at the token", ["hub", "Enter a"], ["a/b", undefined]],
  ])("can be given up %s, and then nothing has changed", async (_when, picks, inputs) => {
    editor.picks = [...picks];
    editor.inputs = [...inputs];
    expect(await chooseModel(given)).toBe(false);
    expect(editor.user).toEqual({});
  });

  test("is told that the workspace's own setting wins", async () => {
    editor.workspace = { model: "/models/theirs" };
    editor.picks = ["ships"];
    await expect(chooseModel(given)).rejects.toThrow("it sets tenstorrent.model itself");
    expect(editor.user).toEqual({});
  });
});

describe("a model of the hub", () => {
  const small = onHub("acme/small");

  test("is downloaded before it is saved, and nothing more is asked", async () => {
    const given = tools([small]);
    editor.picks = ["acme/small"];
    const saved: unknown[] = [];
    const download = given.download;
    given.download = (...what) => {
      saved.push(editor.user["model"]);
      return download(...what);
    };
    expect(await chooseModel(given)).toBe(true);
    expect(given.downloads).toEqual([["acme/small", undefined]]);
    expect(saved).toEqual([undefined]);
    expect(editor.user).toEqual({ model: "acme/small" });
    expect(editor.asked).toEqual([]);
  });

  test("that is here already is not downloaded", async () => {
    const given = tools([onHub("acme/small", { is_here: true, origin: "cached" })]);
    editor.picks = ["acme/small"];
    expect(await chooseModel(given)).toBe(true);
    expect(given.downloads).toEqual([]);
  });

  test("is not downloaded where the workspace's own setting would win", async () => {
    const given = tools([small]);
    editor.workspace = { model: "/models/theirs" };
    editor.picks = ["acme/small"];
    await expect(chooseModel(given)).rejects.toThrow("it sets tenstorrent.model itself");
    expect(given.downloads).toEqual([]);
  });

  test.each([
    ["small", false],
    ["ttdirect-demo", true],
  ])("that is set already takes effect while the server runs %s: %s", async (running, isOther) => {
    const given = { ...tools([{ ...small, is_here: true }]), running };
    editor.user = { model: "acme/small" };
    editor.picks = ["acme/small"];
    expect(await chooseModel(given)).toBe(isOther);
  });

  test("that is here and does not fit is asked about, too", async () => {
    const given = tools([onHub("acme/large", { is_here: true, origin: "cached", fits: "no" })]);
    editor.picks = ["acme/large", "acme/large"];
    expect(await chooseModel(given)).toBe(false);
    editor.answer = "Use It Anyway";
    expect(await chooseModel(given)).toBe(true);
  });

  test("that asks for an account gets the token that is entered", async () => {
    const given = tools([onHub("acme/gated", { needs_account: true })]);
    editor.picks = ["acme/gated", "Enter a Hugging Face token"];
    editor.inputs = [" hf_secret "];
    expect(await chooseModel(given)).toBe(true);
    expect(given.downloads).toEqual([["acme/gated", "hf_secret"]]);
  });

  test("that cannot be had changes nothing", async () => {
    const given = tools([small]);
    given.download = () => Promise.reject(new Error("the hub cannot be reached"));
    editor.picks = ["acme/small"];
    await expect(chooseModel(given)).rejects.toThrow("cannot be reached");
    expect(editor.user).toEqual({});
    expect(given.recents.all()).toEqual([]);
  });

  test.each([
    ["given up", undefined, false],
    ["wanted anyway", "Download It Anyway", true],
  ])("that does not fit can be %s", async (_what, answer, isChosen) => {
    const given = tools([onHub("acme/large", { fits: "no", reason: "needs 90 GiB" })]);
    editor.picks = ["acme/large"];
    editor.answer = answer;
    expect(await chooseModel(given)).toBe(isChosen);
    expect(editor.warned).toEqual(["acme/large seems too large for this computer. needs 90 GiB"]);
    expect(given.downloads).toHaveLength(isChosen ? 1 : 0);
  });

  test("can be wanted by name, without the list", async () => {
    const given = tools([small]);
    expect(await chooseModel(given, { model: "acme/small", asksForToken: false })).toBe(true);
    expect(given.downloads).toEqual([["acme/small", undefined]]);
    await expect(chooseModel(given, { model: "--option/x", asksForToken: false })).rejects.toThrow(
      "A name holds letters",
    );
  });

  test("is remembered, together with the one before it", async () => {
    const given = tools([small]);
    editor.user = { model: "/models/mine" };
    editor.picks = ["acme/small", "mine"];
    await chooseModel(given);
    expect(given.recents.all()).toEqual(["acme/small", "/models/mine"]);
    await chooseModel(given);
    expect(editor.user).toEqual({ model: "/models/mine" });
    expect(given.recents.all()).toEqual(["/models/mine", "acme/small"]);
  });
});

test("a stopped server is told what it will load, and can be started", async () => {
  await tellNextStart("demo");
  expect(editor.warned.pop()).toContain("loads the model that ships when it starts next");
  expect(editor.commands).toEqual([]);
  editor.answer = "Start the Server";
  await tellNextStart("acme/small");
  expect(editor.warned.pop()).toContain("loads acme/small");
  expect(editor.commands).toEqual(["tenstorrent.startApiServerDirect"]);
});
