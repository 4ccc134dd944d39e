import { watch } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Failure } from "./state";

/** What a server says about itself; the Python side writes it (`ttdirect/server/note.py`). */
export interface ServerNote {
  /** The process that ends the server when it gets SIGTERM. */
  readonly pid: number;
  /** The shell that started it. */
  readonly parent: number | null;
  readonly script: string;
  /** As `http://127.0.0.1:8080`; null until the socket is bound. */
  readonly address: string | null;
  readonly by: "script" | "gunicorn";
  /** Why it gave up; such a note outlives its process. */
  readonly failure: Failure | null;
}

/** The notes of all servers of this user, running or failed not long ago. */
export class ServerNotes {
  constructor(readonly folder = join(homedir(), ".cache", "ttdirect", "servers")) {}

  async all(): Promise<readonly ServerNote[]> {
    let names: string[];
    try {
      names = await readdir(this.folder);
    } catch {
      return [];
    }
    const notes = await Promise.all(
      names.filter((name) => name.endsWith(".json")).map((name) => this.#read(name)),
    );
    return notes.filter((note) => note !== undefined);
  }

  /** The note of one process; undefined once it has ended in an orderly way. */
  async of(pid: number): Promise<ServerNote | undefined> {
    return this.#read(`${pid}.json`);
  }

  /** Call back whenever any note comes, changes or goes. Returns how to end it. */
  async onChange(callback: () => void): Promise<() => void> {
    await mkdir(this.folder, { recursive: true });
    const watcher = watch(this.folder, callback);
    watcher.on("error", () => watcher.close());
    return () => watcher.close();
  }

  async #read(name: string): Promise<ServerNote | undefined> {
    try {
      return JSON.parse(await readFile(join(this.folder, name), "utf8")) as ServerNote;
    } catch {
      return undefined; // Gone, or not one of ours.
    }
  }
}

/** Whether a process is still there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
