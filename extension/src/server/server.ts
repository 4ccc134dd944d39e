import getPort, { clearLockedPorts, portNumbers } from "get-port";
import * as vscode from "vscode";
import { Problem } from "../problem";
import { ServerClient } from "./client";
import { isAlive, type ServerNote, type ServerNotes } from "./notes";
import { changePort, remediesFor, showTerminal } from "./remedies";
import { addressOf, type Failure, isUp, next, sentencesOf } from "./state";
import { type Observation, type ServerState, stopped } from "./state";
import { closeReturned, type CommandLine, launch, terminalOf } from "./terminal";
import { ServerWatcher } from "./watcher";

/** What the server needs to know of its surroundings. */
export interface ServerSetup {
  /** The port that the user wants. */
  port(): number;
  /** The user's script. */
  scriptPath(): string;
  /** How to start it on that port. */
  commandLine(by: ServerNote["by"], port: number): Promise<CommandLine>;
}

/** Ports that are tried when another program has the one that the user wants. */
const portsToTry = 100;
const stopSeconds = 40;

/** Milliseconds for a terminal to come back after a reload. */
const terminalPatience = 5000;

/**
 * The one server of this user, whichever window or terminal started it.
 *
 * All windows watch it through its note and `/health`, so they agree on its state.
 */
export class Server implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<ServerState>();
  readonly #entered = new vscode.EventEmitter<ServerState["kind"]>();
  readonly #crashed = new vscode.EventEmitter<Problem>();
  /** Any change, also within a state: a phase of loading, the number of running requests. */
  readonly onDidChangeState = this.#changed.event;
  /** Another state than before. */
  readonly onDidEnterState = this.#entered.event;
  /** A server of this window's terminal has ended by itself, and nobody was waiting for it. */
  readonly onDidCrash = this.#crashed.event;
  #state: ServerState = stopped;
  #watcher: ServerWatcher | undefined;
  #terminal: vscode.Terminal | undefined;
  #endNotesWatch: (() => void) | undefined;
  #closing: vscode.Disposable | undefined;
  #focusing: vscode.Disposable | undefined;
  #operation: Promise<void> | undefined;
  /** How many wait for the server to be ready. */
  #waiting = 0;

  constructor(
    readonly setup: ServerSetup,
    readonly notes: ServerNotes,
    readonly log: vscode.LogOutputChannel,
  ) {}

  get state(): ServerState {
    return this.#state;
  }

  /** Who runs whom: the script gunicorn, or gunicorn the script. */
  get by(): ServerNote["by"] | undefined {
    return this.#watcher?.note?.by;
  }

  /** Begin to notice servers that other windows, terminals or earlier lives of this one started. */
  async attend(): Promise<void> {
    this.#closing = closeReturned();
    await this.#find();
    this.#focusing = vscode.window.onDidChangeWindowState(({ active }) => {
      if (active) this.#watcher?.hurry();
    });
    this.#endNotesWatch = await this.notes.onChange(() => {
      this.#watcher?.hurry();
      if (!isUp(this.#state) && this.#state.kind !== "stopping") void this.#find();
    });
  }

  /**
   * Start the server, or use the one that runs already, and wait until it can answer.
   *
   * @throws Problem when it cannot start; CancellationError when it is stopped meanwhile.
   */
  async start(by: ServerNote["by"] = "script"): Promise<void> {
    await this.#alone(() => this.#start(by));
    await this.ready();
  }

  /** @throws Problem when it does not run, or does not end in time. */
  async stop(): Promise<void> {
    await this.#alone(() => this.#stop());
  }

  /** Stop and start again, as it was started. */
  async restart(): Promise<void> {
    const by = this.by ?? "script";
    await this.#alone(async () => {
      if (isUp(this.#state)) await this.#stop();
      await this.#start(by);
    });
    await this.ready();
  }

  /**
   * Wait until the server can answer.
   *
   * @throws Problem with the reason when it fails; CancellationError when it is stopped.
   */
  async ready(): Promise<Extract<ServerState, { kind: "ready" }>> {
    this.#waiting += 1;
    const state = await this.#until((s) => !isUp(s) || s.kind === "ready");
    this.#waiting -= 1;
    if (state.kind === "ready") return state;
    if (state.kind === "failed") throw problemOf(state.failure);
    throw new vscode.CancellationError();
  }

  /** Show the terminal in which the server runs or ran, if this window has it. */
  async showTerminal(): Promise<void> {
    const terminal = await this.#findTerminal(terminalPatience);
    if (terminal) {
      terminal.show();
    } else if (isUp(this.#state)) {
      throw new Problem(
        vscode.l10n.t("The server was started in another window or terminal."),
        vscode.l10n.t("Look there."),
      );
    } else {
      throw new Problem(
        vscode.l10n.t("There is no server terminal."),
        vscode.l10n.t("It opens when the server starts."),
      );
    }
  }

  dispose(): void {
    this.#closing?.dispose();
    this.#focusing?.dispose();
    this.#endNotesWatch?.();
    this.#watcher?.cancel();
    this.#changed.dispose();
    this.#entered.dispose();
    this.#crashed.dispose();
  }

  async #start(by: ServerNote["by"]): Promise<void> {
    if (this.#state.kind === "stopping") await this.#until((s) => s.kind !== "stopping");
    if (isUp(this.#state) && this.#isBy(by)) return;
    if (isUp(this.#state)) await this.#stop();
    const port = await this.#port();
    if (port === "adopted" && this.#isBy(by)) return;
    if (port === "adopted") await this.#stop();
    const line = await this.setup.commandLine(by, port === "adopted" ? this.setup.port() : port);
    this.#see({ kind: "launched" });
    try {
      const started = await launch(line);
      this.#terminal = started.terminal;
      this.#watch((watcher) => watcher.awaitStart(started));
    } catch (error) {
      this.#see({ kind: "ended", failure: undefined });
      throw error;
    }
  }

  /** The port to start on, or "adopted" if our own server has the wanted one already. */
  async #port(): Promise<number | "adopted"> {
    const wanted = this.setup.port();
    const address = `http://127.0.0.1:${wanted}`;
    const occupant = await new ServerClient(address).occupant();
    if (occupant.kind === "ours") {
      await this.#find();
      if (isUp(this.#state)) return "adopted";
      throw new Problem(
        vscode.l10n.t("A ttdirect server that another user started listens on {0}.", address),
        vscode.l10n.t("Choose another port in the settings."),
        [changePort()],
      );
    }
    clearLockedPorts(); // it would not give the same port twice within half a minute
    const port = await getPort({
      port: portNumbers(wanted, Math.min(wanted + portsToTry, 65535)),
      host: "127.0.0.1",
    });
    if (port !== wanted) this.log.info(`Port ${wanted} is taken by another program: using ${port}`);
    return port;
  }

  async #stop(): Promise<void> {
    if (!isUp(this.#state)) throw new Problem(vscode.l10n.t("The server is not running."), "");
    await this.#until((s) => this.#watcher?.note !== undefined || !isUp(s));
    const pid = this.#watcher?.note?.pid;
    if (pid === undefined) return;
    this.#see({ kind: "stopRequested" });
    process.kill(pid, "SIGTERM");
    this.#watcher?.hurry();
    const limit = AbortSignal.timeout(stopSeconds * 1000);
    await this.#until((s) => s.kind !== "stopping" || limit.aborted, limit);
    if (this.#state.kind === "stopping") {
      throw new Problem(
        vscode.l10n.t("The server has not ended within {0} s.", stopSeconds),
        vscode.l10n.t("Look at its terminal; closing the terminal ends it."),
        [showTerminal()],
      );
    }
  }

  /** Take up a server that runs already: the one on the wanted port, or of the user's script. */
  async #find(): Promise<void> {
    const wanted = `http://127.0.0.1:${this.setup.port()}`;
    const script = this.setup.scriptPath();
    const running = (await this.notes.all()).filter((n) => !n.failure && isAlive(n.pid));
    const note =
      running.find((n) => n.address === wanted) ?? running.find((n) => n.script === script);
    if (!note || isUp(this.#state)) return;
    this.log.info(
      `Found a running server: process ${note.pid}, ${note.address ?? "not bound yet"}`,
    );
    this.#see({ kind: "launched" });
    this.#watch((watcher) => watcher.follow(note));
    await this.#until((s) => s.kind !== "starting");
  }

  async #findTerminal(patience?: number): Promise<vscode.Terminal | undefined> {
    if (this.#terminal && this.#terminal.exitStatus === undefined) return this.#terminal;
    const shell = this.#watcher?.note?.parent;
    return shell == null ? undefined : terminalOf(shell, patience);
  }

  #watch(begin: (watcher: ServerWatcher) => Promise<void>): void {
    this.#watcher?.cancel();
    const watcher = new ServerWatcher(this.notes, (seen) => this.#see(seen));
    this.#watcher = watcher;
    begin(watcher).catch((error: unknown) => this.log.error(String(error)));
  }

  #isBy(by: ServerNote["by"]): boolean {
    return this.by === undefined || this.by === by;
  }

  #see(seen: Observation): void {
    if (seen.kind === "health") {
      const { status, running, queued } = seen.health;
      this.log.trace(`${seen.address}/health: ${status}, ${running} running, ${queued} waiting`);
    }
    const before = this.#state;
    this.#state = next(before, seen);
    if (this.#state === before) return;
    if (before.kind !== this.#state.kind) {
      const reason = this.#state.kind === "failed" ? `: ${this.#state.failure.what}` : "";
      this.log.info(`Server ${this.#state.kind}${reason} ${addressOf(this.#state) ?? ""}`.trim());
      this.#entered.fire(this.#state.kind);
      // Whoever waits for the server tells of its failure; else it would go unnoticed.
      if (this.#state.kind === "failed" && this.#waiting === 0) {
        void this.#tellCrash(this.#state.failure);
      }
    }
    this.#changed.fire(this.#state);
  }

  /** Tell it in one window only: the one that has the terminal, where the last words stand. */
  async #tellCrash(failure: Failure): Promise<void> {
    if (await this.#findTerminal()) this.#crashed.fire(problemOf(failure));
  }

  /** Wait for a state; also returns when the signal is aborted. */
  #until(condition: (state: ServerState) => boolean, signal?: AbortSignal): Promise<ServerState> {
    if (condition(this.#state)) return Promise.resolve(this.#state);
    return new Promise((resolve) => {
      const finish = (): void => {
        listener.dispose();
        signal?.removeEventListener("abort", finish);
        resolve(this.#state);
      };
      const listener = this.onDidChangeState((state) => {
        if (condition(state)) finish();
      });
      signal?.addEventListener("abort", finish);
    });
  }

  /** One operation after the other: two clicks on Start must not start two servers. */
  #alone(operation: () => Promise<void>): Promise<void> {
    const before = this.#operation ?? Promise.resolve();
    const run = before.then(operation, operation);
    this.#operation = run.catch(() => undefined);
    return run;
  }
}

function problemOf(failure: Failure): Problem {
  const [what, fix] = sentencesOf(failure);
  return new Problem(what, fix, remediesFor(failure));
}
