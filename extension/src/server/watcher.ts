import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { ServerClient } from "./client";
import { isAlive, type ServerNote, type ServerNotes } from "./notes";
import type { Failure, Observation } from "./state";

/** Milliseconds between two looks at a server: often while something is about to change. */
const impatient = 250;
const patient = 2000;
/** Nobody looks at the window; a server that ends tells so by its note. */
const unwatched = 30_000;

/** A server that this window has begun to start, and has not found yet. */
export interface Expected {
  readonly shell: number | undefined;
  readonly exitCode: Promise<number | undefined>;
}

/**
 * Looks at one server until it has ended, and tells what it sees.
 *
 * First it waits for the server's note; from then on it asks `/health` and whether the process is
 * alive. The note's last words tell why it ended.
 */
export class ServerWatcher {
  readonly #cancelled = new AbortController();
  #exit: { readonly code: number | undefined } | undefined;
  #wake = new AbortController();

  constructor(
    readonly notes: ServerNotes,
    readonly tell: (seen: Observation) => void,
    readonly wait = pause,
  ) {}

  /** The server's note, once it is known. */
  note: ServerNote | undefined;

  /** Watch the server that a shell is about to start. */
  async awaitStart({ shell, exitCode }: Expected): Promise<void> {
    void exitCode.then((code) => {
      this.#exit = { code };
      this.hurry();
    });
    while (!this.#cancelled.signal.aborted) {
      const exit = this.#exit;
      const note = (await this.notes.all()).find(({ parent }) => parent === shell);
      if (note && (isAlive(note.pid) || note.failure)) return this.follow(note);
      if (exit) {
        this.#tell({ kind: "ended", failure: explainExit(exit.code) });
        return;
      }
      await this.#pause(impatient);
    }
  }

  /** Watch a server that has a note. */
  async follow(note: ServerNote): Promise<void> {
    this.note = note;
    while (!this.#cancelled.signal.aborted) {
      const settled = await this.#look(note.pid);
      if (!isAlive(note.pid)) {
        // Read again: the last words may have come after the last look.
        const last = await this.notes.of(note.pid);
        this.#tell({ kind: "ended", failure: last ? (last.failure ?? killed()) : undefined });
        return;
      }
      await this.#pause(settled ? restfully() : impatient);
    }
  }

  /** Look again at once. */
  hurry(): void {
    this.#wake.abort();
  }

  /** Look no more. */
  cancel(): void {
    this.#cancelled.abort();
    this.hurry();
  }

  /** One look; whether nothing is about to change. */
  async #look(pid: number): Promise<boolean> {
    this.note = (await this.notes.of(pid)) ?? this.note;
    const address = this.note?.address;
    if (!address) return false;
    const occupant = await new ServerClient(address).occupant();
    if (occupant.kind !== "ours") return false;
    this.#tell({ kind: "health", address, health: occupant.health });
    return occupant.health.status === "healthy";
  }

  #tell(seen: Observation): void {
    if (!this.#cancelled.signal.aborted) this.tell(seen);
  }

  async #pause(milliseconds: number): Promise<void> {
    this.#wake = new AbortController();
    await this.wait(milliseconds, this.#wake.signal);
  }
}

/** Wait, but no longer than until the signal is aborted. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined);
}

/** How long to wait while nothing is about to change. */
function restfully(): number {
  return vscode.window.state.active ? patient : unwatched;
}

function killed(): Failure {
  return {
    code: "killed",
    what: vscode.l10n.t("The server's process ended without a word; something outside killed it."),
    fix: vscode.l10n.t(
      "Most often the memory was full: choose a smaller model, or start it again.",
    ),
  };
}

/** What an exit code means before the server could say anything itself. */
function explainExit(code: number | undefined): Failure | undefined {
  if (code === undefined || code === 0 || code === 130) return undefined; // 130: Ctrl+C
  if (code === 137) return killed(); // the shell's number for SIGKILL
  if (code === 3) {
    return {
      code: "missing-packages",
      what: vscode.l10n.t("The script could not import what it needs."),
      fix: vscode.l10n.t("Install Flask and ttdirect into the Python that runs it."),
    };
  }
  return {
    code: "exit",
    what: vscode.l10n.t("The server ended with exit code {0} before it listened.", code),
    fix: vscode.l10n.t("Its terminal says why."),
  };
}
