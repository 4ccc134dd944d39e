import * as vscode from "vscode";
import { commands, panels } from "../ids";
import { Panel } from "../panel/panel";
import { requestsOf, type RecentRequest, type RequestSource } from "../recentRequests";
import type { ChatRequest } from "../server/api";
import { ownKey } from "../server/ownKey";
import { isToHost } from "./guard";
import { History } from "./history";
import type { Records } from "./history";
import type { Copyable, ServerSummary, ToHost, ToWebview } from "./protocol";
import { RecordsPage } from "./recordsPage";
import { Runner } from "./runner";
import type { Target } from "./runner";
import { snippet } from "./snippets";

/** What the results need to know of the server. */
export interface ResultsServer {
  readonly summary: ServerSummary;
  readonly onDidChange: vscode.Event<void>;
  /**
   * Where to send requests. Offers to start the server when it does not run.
   *
   * @throws Problem when there is no server, CancellationError when the user wants none.
   */
  ready(): Promise<Target>;
}

const panelKind = () => ({
  viewType: panels.results,
  title: vscode.l10n.t("API Results"),
  bundle: "results",
  isToHost,
});

/** Requests to the server and their answers: sent from here, shown in the results view. */
export class Results implements RequestSource, vscode.Disposable {
  readonly #server: ResultsServer;
  readonly #history: History;
  readonly #runner: Runner;
  readonly #panel: Panel<ToHost, ToWebview>;
  readonly #page: RecordsPage;
  readonly #finished = new vscode.EventEmitter<Records>();
  readonly #disposables: readonly { dispose(): unknown }[];

  /** The records of a batch, when the last of them has ended; asked from wherever. */
  readonly onDidFinish = this.#finished.event;
  /** A record is new or has changed, or several have. */
  readonly onDidChange: vscode.Event<unknown>;

  constructor(
    context: vscode.ExtensionContext,
    server: ResultsServer,
    log: vscode.LogOutputChannel,
  ) {
    this.#server = server;
    this.#history = new History(context.workspaceState, "tenstorrent.results");
    this.onDidChange = this.#history.onDidChange;
    this.#runner = new Runner(this.#history);
    this.#panel = new Panel(panelKind(), context.extensionUri, log, (message) =>
      this.#act(message),
    );
    this.#page = new RecordsPage({
      history: this.#history,
      runner: this.#runner,
      server,
      send: (news) => this.#panel.send(news),
    });
    this.#disposables = [this.#history, this.#panel, this.#finished, this.#page];
  }

  /**
   * Show the view, send the requests at the same time, and wait for the answers.
   *
   * @param title what the requests are for; stands above their cards.
   * @returns the records as they ended, in the order of the requests; none is running any more.
   * @throws Problem when there is no server, CancellationError when the user wants none.
   */
  async run(title: string, requests: readonly ChatRequest[]): Promise<Records> {
    const target = await this.#server.ready();
    this.show();
    const records = await this.#runner.run(title, requests, target);
    this.#finished.fire(records);
    return records;
  }

  get records(): Records {
    return this.#history.records;
  }

  get requests(): readonly RecentRequest[] {
    return requestsOf(this.records, ({ id }) => ({
      command: commands.showRequest,
      arguments: [id],
    }));
  }

  /** Show the view, at one record if that is still there. */
  show(id?: string): void {
    if (id === undefined) this.#panel.show();
    else this.#panel.showAndSend({ type: "reveal", id });
  }

  /** Show the view with this request in its prompt box, ready to be changed and sent. */
  compose(request: ChatRequest): void {
    this.#panel.showAndSend({ type: "compose", request });
  }

  dispose(): void {
    this.#runner.cancelAll();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #act(message: ToHost): Promise<void> {
    switch (message.type) {
      case "ask":
        await this.run(vscode.l10n.t("Your question"), [message.request]);
        return;
      case "askSeveral":
        await vscode.commands.executeCommand(commands.testMultiple);
        return;
      case "repeat":
        return this.#repeat(message.ids);
      case "copy":
        return this.#copy(message.id, message.what);
      case "loaded":
      case "startServer":
      case "cancel":
      case "clear":
      case "undoClear":
      case "export":
        return this.#page.act(message);
    }
  }

  async #repeat(ids: readonly string[]): Promise<void> {
    const again = this.#history.records.filter(({ id }) => ids.includes(id));
    const [first] = again;
    if (first)
      await this.run(
        first.title,
        again.map(({ request }) => request),
      );
  }

  async #copy(id: string, what: Copyable): Promise<void> {
    const record = this.#history.find(id);
    if (!record) return;
    const withKey = ownKey() !== undefined;
    const text =
      what === "answer" ? record.text : snippet(what, record.address, record.request, withKey);
    await vscode.env.clipboard.writeText(text);
    this.#panel.send({ type: "copied", id, what });
  }
}
