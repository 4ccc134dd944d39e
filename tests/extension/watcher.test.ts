import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ServerNote, ServerNotes } from "../../extension/src/server/notes";
import type { Observation } from "../../extension/src/server/state";
import { window as editorWindow } from "./vscode";
import { ServerWatcher } from "../../extension/src/server/watcher";

const shell = 4_000_001;
const never = new Promise<undefined>(() => undefined);

let folder: string;
let child: ChildProcess;
let http: HttpServer;
let seen: Observation[];
let watcher: ServerWatcher;

/** A process that only lives, in the place of a server. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "notes-"));
  child = spawn("sleep", ["60"]);
  http = createServer((_, answer) => {
    answer.end(JSON.stringify({ status: "healthy", model_loaded: true, max_batch_size: 32 }));
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  seen = [];
  watcher = new ServerWatcher(new ServerNotes(folder), (observation) => seen.push(observation));
});

afterEach(async () => {
  watcher.cancel();
  child.kill("SIGKILL");
  http.close();
  await rm(folder, { recursive: true });
});

async function leaveNote(changes: Partial<ServerNote> = {}): Promise<ServerNote> {
  const note: ServerNote = {
    pid: child.pid ?? 0,
    parent: shell,
    script: "/home/ann/tt-api-server-direct.py",
    address: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    by: "script",
    failure: null,
    ...changes,
  };
  await writeFile(join(folder, `${note.pid}.json`), JSON.stringify(note));
  return note;
}

async function end(): Promise<void> {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

describe("a server that this window starts", () => {
  it("is known by the shell that started it", async () => {
    await leaveNote();
    const watching = watcher.awaitStart({ shell, exitCode: never });
    await expect.poll(() => seen.map((o) => o.kind)).toContain("health");
    expect(watcher.note?.pid).toBe(child.pid);
    await rm(join(folder, `${child.pid}.json`));
    await end();
    watcher.hurry();
    await watching;
    expect(seen.at(-1)).toEqual({ kind: "ended", failure: undefined });
  });

  it("tells its last words when it gave up before anybody looked", async () => {
    const failure = { code: "port-taken", what: "It is taken.", fix: "choose another" };
    await end();
    await leaveNote({ failure, address: null });
    await watcher.awaitStart({ shell, exitCode: Promise.resolve(1) });
    expect(seen).toEqual([{ kind: "ended", failure }]);
  });

  it.each([
    [0, undefined],
    [130, undefined],
    [undefined, undefined],
    [1, "exit"],
    [3, "missing-packages"],
    [137, "killed"],
  ])("that exits with %s before it leaves a note failed by %s", async (code, failure) => {
    await watcher.awaitStart({ shell, exitCode: Promise.resolve(code) });
    expect(seen).toMatchObject([{ kind: "ended", ...(failure && { failure: { code: failure } }) }]);
  });
});

describe("a server that runs", () => {
  it("was killed when its note outlives it without last words", async () => {
    const watching = watcher.follow(await leaveNote());
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    await end();
    watcher.hurry();
    await watching;
    expect(seen.at(-1)).toMatchObject({ kind: "ended", failure: { code: "killed" } });
  });

  it("is asked rarely while nobody uses the window, and at once when somebody does", async () => {
    const pauses: number[] = [];
    editorWindow.state.active = false;
    watcher = new ServerWatcher(
      new ServerNotes(folder),
      (observation) => seen.push(observation),
      (milliseconds, signal) => {
        pauses.push(milliseconds);
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
      },
    );
    const watching = watcher.follow(await leaveNote());
    await expect.poll(() => pauses).toEqual([30_000]);
    editorWindow.state.active = true;
    watcher.hurry();
    await expect.poll(() => pauses).toEqual([30_000, 2000]);
    watcher.cancel();
    await watching;
  });

  it("is not reported any more after cancel", async () => {
    const watching = watcher.follow(await leaveNote());
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    watcher.cancel();
    const count = seen.length;
    await end();
    await watching;
    expect(seen.length).toBe(count);
  });
});
