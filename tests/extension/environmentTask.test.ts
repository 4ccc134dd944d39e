import { afterEach, expect, test, vi } from "vitest";

/** The editor's tasks, as far as one run of a program goes. */
const editor = vi.hoisted(() => {
  type Listener = (event: { execution: object; exitCode?: number | undefined }) => void;
  const listeners = new Set<Listener>();
  return {
    listeners,
    workspace: { isTrusted: true },
    executeTask: vi.fn<(task: unknown) => Promise<object>>(),
    onDidEndTaskProcess: (listener: Listener) => {
      listeners.add(listener);
      return { dispose: () => listeners.delete(listener) };
    },
    endProcess: (execution: object, exitCode: number | undefined) => {
      for (const listener of listeners) listener({ execution, exitCode });
    },
  };
});

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  workspace: editor.workspace,
  tasks: editor,
  TaskScope: { Global: 1 },
  TaskRevealKind: { Always: 1 },
  TaskPanelKind: { Dedicated: 2 },
  ProcessExecution: class {
    constructor(
      readonly process: string,
      readonly args: readonly string[],
    ) {}
  },
  Task: class {
    constructor(
      readonly definition: object,
      readonly scope: unknown,
      readonly name: string,
      readonly source: string,
      readonly execution: object,
    ) {}
  },
}));

const { runTask } = await import("../../extension/src/environment/task");
const run = () => runTask("install", "Install", ["/p", "-m", "pip"]);

afterEach(() => {
  editor.workspace.isTrusted = true;
});

test("runs the program with its arguments", async () => {
  const execution = {};
  editor.executeTask.mockImplementationOnce((task) => {
    expect(task).toMatchObject({
      definition: { step: "install" },
      execution: { process: "/p", args: ["-m", "pip"] },
    });
    // The end comes before the task is known to have begun.
    editor.endProcess(execution, 0);
    return Promise.resolve(execution);
  });
  expect(await run()).toBe(0);
  expect(editor.listeners.size).toBe(0);
});

test("waits for its own end, not for another's", async () => {
  const execution = {};
  editor.executeTask.mockResolvedValueOnce(execution);
  const ended = run();
  await Promise.resolve();
  editor.endProcess({}, 0);
  setTimeout(() => {
    editor.endProcess(execution, 3);
  });
  expect(await ended).toBe(3);
});

test("has no exit code when the user ends the task", async () => {
  const execution = {};
  editor.executeTask.mockResolvedValueOnce(execution);
  const ended = run();
  setTimeout(() => editor.endProcess(execution, undefined));
  expect(await ended).toBeUndefined();
});

test("is refused where the editor runs no tasks", async () => {
  editor.workspace.isTrusted = false;
  await expect(run()).rejects.toThrow("Trust it, or open an empty window.");
});
