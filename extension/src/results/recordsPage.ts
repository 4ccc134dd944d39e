import * as vscode from "vscode";
import { commands } from "../ids";
import { exportRecords } from "./exporting";
import type { History } from "./history";
import type { CommonWish, RecordNews } from "./protocol";
import type { ResultsServer } from "./results";
import type { Runner } from "./runner";

/** What a page of records shows: the requests and the server that was asked. */
export interface RecordsPageParts {
  readonly history: History;
  readonly runner: Runner;
  readonly server: ResultsServer;
  readonly send: (news: RecordNews) => void;
}

/** Keeps a page of records up to date, and does what every such page can ask for. */
export class RecordsPage implements vscode.Disposable {
  readonly #parts: RecordsPageParts;
  readonly #listeners: vscode.Disposable;

  constructor(parts: RecordsPageParts) {
    const { history, server, send } = parts;
    this.#parts = parts;
    this.#listeners = vscode.Disposable.from(
      history.onDidChange((change) => {
        if (change.kind === "all") this.#sendAll();
        else send({ type: "changed", record: change.record, now: Date.now() });
      }),
      server.onDidChange(() => this.#sendServer()),
    );
  }

  async act(wish: CommonWish): Promise<void> {
    const { history, runner } = this.#parts;
    switch (wish.type) {
      case "loaded":
        this.#sendAll();
        this.#sendServer();
        return;
      case "startServer":
        await vscode.commands.executeCommand(commands.start);
        return;
      case "cancel":
        runner.cancel(wish.id);
        return;
      case "clear":
        history.clear();
        return;
      case "undoClear":
        history.undoClear();
        return;
      case "export":
        return exportRecords(history.records);
    }
  }

  dispose(): void {
    this.#listeners.dispose();
  }

  #sendAll(): void {
    const { history, send } = this.#parts;
    send({ type: "all", records: history.records, now: Date.now() });
  }

  #sendServer(): void {
    const { server, send } = this.#parts;
    send({ type: "server", server: server.summary });
  }
}
