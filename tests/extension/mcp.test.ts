import { beforeEach, describe, expect, it, vi } from "vitest";
import type * as vscode from "vscode";
import type { PythonFacts } from "../../extension/src/environment/probe";
import { hasMcp } from "../../extension/src/mcp/mcpPackage";
import { McpProvider } from "../../extension/src/mcp/provider";
import type { ServerState } from "../../extension/src/server/state";
import { healthy, StateInHand } from "./fakeServer";
import { EventEmitter } from "./vscode";

const editor = vi.hoisted(() => ({
  settings: { port: 8080, scriptPath: "/home/ann/server.py", pipArguments: ["--quiet"] },
  runTask: vi.fn<(step: string, title: string, command: readonly string[]) => unknown>(),
  showInformationMessage:
    vi.fn<(message: string, options: object, ...buttons: string[]) => unknown>(),
  showErrorMessage: vi.fn<(message: string, ...buttons: string[]) => unknown>(),
}));

vi.mock("../../extension/src/settings", () => ({ readSettings: () => editor.settings }));
vi.mock("../../extension/src/environment/task", () => ({
  runTask: editor.runTask,
  showTerminal: () => ({ title: "Show Terminal", command: "show" }),
}));
vi.mock("vscode", async (original) => ({
  ...(await original<object>()),
  window: {
    showInformationMessage: editor.showInformationMessage,
    showErrorMessage: editor.showErrorMessage,
  },
}));

const python = "/venv/bin/python";
const address = "http://127.0.0.1:8123";
const ready: ServerState = { kind: "ready", address, health: healthy() };

function setUp(packages: PythonFacts["packages"], state: ServerState = { kind: "stopped" }) {
  const server = new StateInHand(state);
  const changes = new EventEmitter<void>();
  const environment = {
    onDidChange: changes.event,
    interpreter: vi.fn(() => Promise.resolve({ path: python })),
    facts: vi.fn(() => Promise.resolve({ packages } as PythonFacts)),
    refresh: vi.fn(),
  };
  const log = { info: vi.fn(), error: vi.fn() };
  const provider = new McpProvider({
    server,
    environment,
    log: log as unknown as vscode.LogOutputChannel,
    extension: { packageJSON: { version: "1.2.3" } },
  });
  const fired = vi.fn();
  provider.onDidChangeMcpServerDefinitions(fired);
  const start = async () => {
    const [definition] = provider.provideMcpServerDefinitions();
    if (!definition) throw new Error("There is no definition.");
    return provider.resolveMcpServerDefinition(definition);
  };
  return { server, changes, environment, provider, fired, start };
}

const all = { ttdirect: "0.1.0", mcp: "2.3.0" };

beforeEach(() => {
  vi.clearAllMocks();
  editor.settings = { port: 8080, scriptPath: "/home/ann/server.py", pipArguments: ["--quiet"] };
});

describe("the definition of the MCP server", () => {
  it("leads to the running server and needs no Python to be told", () => {
    const { provider, environment } = setUp(all, ready);
    expect(provider.provideMcpServerDefinitions()).toMatchObject([
      {
        label: "TT Direct API",
        args: ["-m", "ttdirect", "mcp", "--url", address, "--script", "/home/ann/server.py"],
        version: "1.2.3",
      },
    ]);
    expect(environment.interpreter).not.toHaveBeenCalled();
  });

  it("leads to the port of the settings while no server runs", () => {
    const [definition] = setUp(all).provider.provideMcpServerDefinitions();
    expect(definition?.args).toContain("http://127.0.0.1:8080");
  });

  it("is another one when the server has another address, and only then", () => {
    const { server, provider, fired, changes } = setUp(all);
    server.become(ready);
    expect(fired).not.toHaveBeenCalled(); // nobody has asked yet
    provider.provideMcpServerDefinitions();
    server.become({ kind: "ready", address, health: healthy({ running: 5 }) });
    changes.fire();
    expect(fired).not.toHaveBeenCalled();
    server.become({ kind: "ready", address: "http://127.0.0.1:8124", health: healthy() });
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it("is another one when the script's path changes", () => {
    const { provider, fired, changes } = setUp(all);
    provider.provideMcpServerDefinitions();
    editor.settings = { ...editor.settings, scriptPath: "/elsewhere.py" };
    changes.fire();
    expect(fired).toHaveBeenCalledTimes(1);
  });
});

describe("the start of the MCP server", () => {
  it("takes the chosen interpreter", async () => {
    const started = await setUp(all).start();
    expect(started?.command).toBe(python);
    expect(editor.showInformationMessage).not.toHaveBeenCalled();
  });

  it("installs the package when the user wants that", async () => {
    editor.showInformationMessage.mockResolvedValueOnce("Install");
    editor.runTask.mockResolvedValueOnce(0);
    const { start, environment } = setUp({ ttdirect: "0.1.0" });
    expect((await start())?.command).toBe(python);
    expect(editor.runTask.mock.calls[0]?.[2]).toEqual([
      ...[python, "-m", "pip", "install", "--disable-pip-version-check"],
      ...["mcp>=2.3", "--quiet"],
    ]);
    expect(environment.refresh).toHaveBeenCalled();
  });

  it("asks once, and starts nothing without the package", async () => {
    editor.showInformationMessage.mockResolvedValue(undefined);
    const { start } = setUp({ ttdirect: "0.1.0", mcp: "1.26.0" });
    expect(await start()).toBeUndefined();
    expect(await start()).toBeUndefined();
    expect(editor.showInformationMessage).toHaveBeenCalledTimes(1);
    expect(editor.runTask).not.toHaveBeenCalled();
  });

  it("tells when pip fails", async () => {
    editor.showInformationMessage.mockResolvedValueOnce("Install");
    editor.runTask.mockResolvedValueOnce(1);
    expect(await setUp({ ttdirect: "0.1.0" }).start()).toBeUndefined();
    expect(editor.showErrorMessage).toHaveBeenCalledWith(
      "The package mcp was not installed: pip ended with code 1. The terminal tells more.",
      "Show Terminal",
    );
  });

  it("offers to install ttdirect where even that is missing", async () => {
    expect(await setUp({}).start()).toBeUndefined();
    expect(editor.showErrorMessage.mock.calls[0]).toEqual([
      expect.stringContaining(`ttdirect, which is not installed in ${python}.`),
      "Install",
    ]);
  });

  it("tells when there is no Python", async () => {
    const { start, environment } = setUp(all);
    environment.interpreter.mockRejectedValueOnce(new Error("There is none."));
    expect(await start()).toBeUndefined();
    expect(editor.showErrorMessage).toHaveBeenCalledTimes(1);
  });
});

it.each([
  [undefined, false],
  ["1.30.0", false],
  ["2.2.9", false],
  ["2.3.0", true],
  ["2.10.1", true],
  ["3.0.0", true],
])("version %s of the package is enough: %s", (mcp, isEnough) => {
  expect(hasMcp({ packages: mcp === undefined ? {} : { mcp } })).toBe(isEnough);
});
