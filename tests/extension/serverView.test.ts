import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Health } from "../../extension/src/server/client";
import type { ServerState } from "../../extension/src/server/state";
import type { ServerViewParts } from "../../extension/src/serverView/serverView";
import type { Place } from "../../extension/src/serverView/tree";
import { EventEmitter } from "./vscode";

/** The editor's side of the view: whether it is seen, and what was put into it. */
const editor = vi.hoisted(() => {
  const tree: { current: unknown } = { current: undefined };
  return { visible: false, seen: new Set<() => void>(), tree };
});

vi.mock("vscode", async () => ({
  ...(await vi.importActual("./vscode")),
  TreeItemCollapsibleState: { None: 0, Expanded: 2 },
  TreeItem: class {
    constructor(
      readonly label: string,
      readonly collapsibleState: number,
    ) {}
  },
  ThemeIcon: class {
    constructor(
      readonly id: string,
      readonly color: unknown,
    ) {}
  },
  ThemeColor: class {
    constructor(readonly id: string) {}
  },
  workspace: { registerTextDocumentContentProvider: () => ({ dispose: () => undefined }) },
  window: {
    createTreeView: (_: string, { treeDataProvider }: { treeDataProvider: unknown }) => {
      editor.tree.current = treeDataProvider;
      return {
        get visible() {
          return editor.visible;
        },
        onDidChangeVisibility: (listener: () => void) => {
          editor.seen.add(listener);
          return { dispose: () => undefined };
        },
        dispose: () => undefined,
      };
    },
  },
}));

const { ServerView } = await import("../../extension/src/serverView/serverView");
const { RowTree } = await import("../../extension/src/serverView/tree");

const address = "http://127.0.0.1:8080";
const ready: ServerState = {
  kind: "ready",
  address,
  health: { model: "ttdirect-demo", device: "CPU", elapsed_seconds: 3 } as Health,
};

const stateChanged = new EventEmitter<void>();
const interpreter = vi.fn<() => Promise<never>>();
const fetched = vi.fn<(url: string) => Promise<Response>>();
let state: ServerState;
let view: InstanceType<typeof ServerView>;

function asked(route: string): number {
  return fetched.mock.calls.filter(([url]) => url === address + route).length;
}

function see(visible: boolean): void {
  editor.visible = visible;
  for (const listener of editor.seen) listener();
}

function become(newer: ServerState): void {
  state = newer;
  stateChanged.fire();
}

/** All rows as the editor would show them, by their labels. */
function rows(): Record<string, unknown> {
  const tree = editor.tree.current as InstanceType<typeof RowTree>;
  const items = (places: readonly Place[]): (readonly [string, unknown])[] =>
    places.flatMap((place) => {
      const { label, description } = tree.getTreeItem(place);
      return [[label as string, description] as const, ...items(tree.getChildren(place))];
    });
  return Object.fromEntries(items(tree.getChildren()));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", fetched);
  fetched.mockReset();
  fetched.mockImplementation((url) =>
    Promise.resolve(
      url.endsWith("/metrics")
        ? new Response('ttdirect:state{state="ready"} 1.0\n')
        : new Response('{"paths": {"/mine": {"get": {"summary": "Mine."}}}}'),
    ),
  );
  interpreter.mockReset();
  interpreter.mockRejectedValue(new Error("There is no Python."));
  editor.visible = false;
  editor.seen.clear();
  state = { kind: "stopped" };
  view = new ServerView({
    server: {
      get state() {
        return state;
      },
      onDidChangeState: stateChanged.event,
    },
    sources: [{ requests: [], onDidChange: new EventEmitter<void>().event }],
    environment: { interpreter, onDidChange: new EventEmitter<void>().event },
    log: { warn: () => undefined, trace: () => undefined },
  } as unknown as ServerViewParts);
});

afterEach(() => {
  view.dispose();
  stateChanged.dispose();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the server view", () => {
  test("asks nothing while nobody sees it", async () => {
    become(ready);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).not.toHaveBeenCalled();
    expect(interpreter).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("asks for figures every two seconds while it is seen, and for routes once", async () => {
    become(ready);
    see(true);
    await vi.advanceTimersByTimeAsync(7000);
    expect(asked("/metrics")).toBe(4);
    expect(asked("/openapi.json")).toBe(1);
    expect(rows()).toMatchObject({ State: "ready", "Tokens/s": "idle", "GET /mine": "Mine." });
    see(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked("/metrics")).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
    see(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(asked("/metrics")).toBe(5);
  });

  test("asks a server that is not ready for nothing, and forgets one that has ended", async () => {
    see(true);
    become({ kind: "starting" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetched).not.toHaveBeenCalled();
    expect(rows()).toMatchObject({ State: "starting" });
    become(ready);
    await vi.advanceTimersByTimeAsync(0);
    expect(Object.keys(rows())).toContain("GET /mine");
    become({ kind: "stopping", address });
    expect(Object.keys(rows())).toEqual(["Server", "State"]);
    become({ kind: "stopped" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked("/metrics")).toBe(1);
    expect(rows()).toEqual({});
  });

  test("asks for the routes anew when told to: the script may have others now", async () => {
    become(ready);
    see(true);
    await vi.advanceTimersByTimeAsync(100);
    view.refresh();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked("/openapi.json")).toBe(2);
    expect(asked("/metrics")).toBe(2);
  });

  test("tells why there are no figures", async () => {
    fetched.mockResolvedValue(new Response("", { status: 401 }));
    become(ready);
    see(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(rows()["Figures"]).toContain("Enter the Server's Key");
  });

  test("sends nothing to a route that is not there", async () => {
    await expect(view.send(undefined)).rejects.toThrow("No route was chosen. Start the server");
  });
});

describe("the tree", () => {
  const row = (id: string, description = "") => ({ id, icon: "x", label: id, description });

  test("tells the editor of those rows alone that have changed", () => {
    const tree = new RowTree();
    const told: unknown[] = [];
    tree.onDidChangeTreeData((changed) => told.push(changed?.map((place) => place.row.id)));
    tree.show([{ ...row("a"), children: [row("a1"), row("a2")] }, row("b")]);
    const [a] = tree.getChildren();
    tree.show([{ ...row("a"), children: [row("a1"), row("a2")] }, row("b")]);
    expect(told).toEqual([undefined]);
    tree.show([{ ...row("a"), children: [row("a1"), row("a2", "new")] }, row("b")]);
    expect(told.at(-1)).toEqual(["a2"]);
    tree.show([{ ...row("a"), children: [row("a1")] }, row("b")]);
    expect(told.at(-1)).toEqual(["a"]);
    expect(tree.getChildren()[0]).toBe(a);
    tree.show([row("b")]);
    expect(told).toHaveLength(4);
    expect(told.at(-1)).toBeUndefined();
  });

  test("makes items that say all in words, too", () => {
    const tree = new RowTree();
    tree.show([
      {
        ...row("State", "failed"),
        colour: "list.errorForeground",
        can: "route send",
        action: { command: "x.y", arguments: [1] },
      },
    ]);
    const [place] = tree.getChildren();
    expect(place && tree.getTreeItem(place)).toMatchObject({
      id: "State",
      description: "failed",
      tooltip: "State: failed",
      collapsibleState: 0,
      contextValue: "route send",
      accessibilityInformation: { label: "State: failed" },
      iconPath: { id: "x", color: { id: "list.errorForeground" } },
      command: { command: "x.y", arguments: [1] },
    });
  });
});
