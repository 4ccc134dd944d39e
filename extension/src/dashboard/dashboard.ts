import * as vscode from "vscode";
import { commands, panels } from "../ids";
import { Panel } from "../panel/panel";
import type { ResultsServer } from "../results/results";
import { fetchMetrics } from "../server/metrics";
import { Poll } from "../poll";
import { bench } from "./bench";
import { isToHost } from "./guard";
import { LoadTester } from "./loadTest";
import type { ToHost, ToPage } from "./protocol";
import { Series } from "./series";

const panelKind = () => ({
  viewType: panels.dashboard,
  title: vscode.l10n.t("Dashboard"),
  bundle: "dashboard",
  isToHost,
});

/** Milliseconds between two looks at the server's figures. */
const interval = 1000;

/** What the dashboard needs to know of its surroundings. */
export interface DashboardParts {
  readonly context: vscode.ExtensionContext;
  readonly server: ResultsServer;
  /** Where the server answers; undefined while it does not. */
  readonly address: () => string | undefined;
  /** @throws Problem when there is no interpreter. */
  readonly python: () => Promise<string>;
  readonly log: vscode.LogOutputChannel;
}

/** The server's figures as they are now, and a load test: asked here, drawn by its page. */
export class Dashboard implements vscode.Disposable {
  readonly #parts: DashboardParts;
  readonly #panel: Panel<ToHost, ToPage>;
  readonly #tester: LoadTester;
  readonly #series = new Series();
  readonly #poll = new Poll((signal) => this.#look(signal), interval);
  readonly #disposables: readonly { dispose(): unknown }[];
  #isSeen = false;
  #address: string | undefined;

  constructor(parts: DashboardParts) {
    const { context, server, log } = parts;
    this.#parts = parts;
    this.#panel = new Panel(panelKind(), context.extensionUri, log, (message) =>
      this.#act(message),
    );
    this.#tester = new LoadTester(context.workspaceState, bench);
    this.#disposables = [
      this.#panel,
      this.#tester,
      this.#panel.onDidHide(() => this.#see(false)),
      server.onDidChange(() => this.#sendServer()),
      this.#tester.onDidChange((test) => this.#panel.send({ type: "loadTest", test })),
    ];
  }

  show(): void {
    this.#panel.show(true);
  }

  dispose(): void {
    this.#see(false);
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #act(message: ToHost): Promise<void> {
    switch (message.type) {
      case "loaded":
        this.#panel.send({ type: "loadTest", test: this.#tester.test });
        this.#sendServer();
        return;
      case "seen":
        this.#see(message.isSeen);
        return;
      case "startServer":
        await vscode.commands.executeCommand(commands.start);
        return;
      case "runLoadTest":
        await this.#tester.run(await this.#parts.python(), await this.#parts.server.ready());
        return;
      case "cancelLoadTest":
        this.#tester.cancel();
        return;
    }
  }

  #see(isSeen: boolean): void {
    this.#isSeen = isSeen;
    this.#follow();
  }

  #sendServer(): void {
    this.#panel.send({ type: "server", server: this.#parts.server.summary });
    this.#follow();
  }

  /** Look at the server that runs now, while somebody looks at the page. */
  #follow(): void {
    const address = this.#parts.address();
    if (address !== this.#address) this.#series.reset();
    this.#address = address;
    this.#poll.isWanted = this.#isSeen && address !== undefined;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const address = this.#address;
    if (address === undefined) return;
    try {
      const point = this.#series.add(await fetchMetrics(address, signal), Date.now());
      this.#parts.log.trace(`The dashboard has read ${address}/metrics`);
      this.#panel.send({ type: "trouble", sentence: undefined });
      this.#panel.send({ type: "point", point });
    } catch (error) {
      if (signal.aborted) return;
      const sentence = error instanceof Error ? error.message : String(error);
      this.#panel.send({ type: "trouble", sentence });
    }
  }
}
