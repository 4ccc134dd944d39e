import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ServerState } from "../../extension/src/server/state";
import { healthy } from "./fakeServer";

interface Editor {
  change: (name: string) => void;
  told: string[];
  port: unknown;
  answer: string | undefined;
}

const editor = vi.hoisted((): Editor => ({
  change: () => undefined,
  told: [],
  port: 8080,
  answer: undefined,
}));

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  workspace: {
    getConfiguration: () => ({ get: () => editor.port }),
    onDidChangeConfiguration: (listener: (event: object) => void) => {
      editor.change = (name) =>
        listener({ affectsConfiguration: (asked: string) => asked === `tenstorrent.${name}` });
      return { dispose: () => undefined };
    },
  },
  window: Object.fromEntries(
    ["showInformationMessage", "showWarningMessage"].map((name) => [
      name,
      (message: string) => {
        editor.told.push(message);
        return Promise.resolve(editor.answer);
      },
    ]),
  ),
}));

const { attendSettings } = await import("../../extension/src/server/settingsChange");

const ready: ServerState = { kind: "ready", address: "http://127.0.0.1:8080", health: healthy() };
const log = { warn: vi.fn(), error: vi.fn() };
const restart = vi.fn(() => Promise.resolve());

beforeEach(() => {
  vi.clearAllMocks();
  Object.assign(editor, { told: [], port: 8080, answer: undefined });
});

describe("a setting that is edited by hand", () => {
  it.each(["model", "port", "scriptPath", "interpreter"])(
    "%s offers a restart once",
    async (name) => {
      editor.answer = "Restart";
      attendSettings({ state: ready, restart }, log);
      editor.change(name);
      editor.change(name);
      expect(editor.told).toHaveLength(1);
      await vi.waitFor(() => expect(restart).toHaveBeenCalledTimes(1));
    },
  );

  it("offers nothing where the server does not read it, or none runs", () => {
    attendSettings({ state: ready, restart }, log);
    editor.change("pipArguments");
    attendSettings({ state: { kind: "stopped" }, restart }, log);
    editor.change("model");
    expect(editor.told).toEqual([]);
  });
});

it("a port that is none is told once, and logged", () => {
  editor.port = "8081";
  attendSettings({ state: { kind: "stopped" }, restart }, log);
  editor.change("port");
  expect(editor.told).toEqual([expect.stringContaining('tenstorrent.port is "8081", so 8080')]);
  expect(log.warn).toHaveBeenCalledTimes(1);
});
