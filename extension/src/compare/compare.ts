import * as vscode from "vscode";
import { commands, panels } from "../ids";
import { Panel } from "../panel/panel";
import { requestsOf, type RecentRequest, type RequestSource } from "../recentRequests";
import { History } from "../results/history";
import { RecordsPage } from "../results/recordsPage";
import type { ResultsServer } from "../results/results";
import { failureSentence, Runner } from "../results/runner";
import type { Question, Target } from "../results/runner";
import { ServerRefusedError, UnreachableError } from "../server/http";
import { questionsOf } from "./columns";
import { isToHost } from "./guard";
import { Keys } from "./keys";
import { OpenAiChat } from "./openAiChat";
import type { Comparison, ToHost, ToPage } from "./protocol";

const panelKind = () => ({
  viewType: panels.compare,
  title: vscode.l10n.t("Compare"),
  bundle: "compare",
  isToHost,
});

/** The same prompt at several temperatures, or to two servers: asked here, shown side by side. */
export class Compare implements RequestSource, vscode.Disposable {
  readonly #server: ResultsServer;
  readonly #keys: Keys;
  readonly #history: History;
  readonly #runner: Runner;
  readonly #panel: Panel<ToHost, ToPage>;
  readonly #page: RecordsPage;
  readonly #disposables: readonly { dispose(): unknown }[];
  /** A record is new or has changed, or several have. */
  readonly onDidChange: vscode.Event<unknown>;
  /** Where our own server was when it was asked last. */
  #ownAddress = "";

  constructor(
    context: vscode.ExtensionContext,
    server: ResultsServer,
    log: vscode.LogOutputChannel,
  ) {
    this.#server = server;
    this.#keys = new Keys(context.secrets);
    this.#history = new History(context.workspaceState, "tenstorrent.comparisons");
    this.onDidChange = this.#history.onDidChange;
    this.#runner = new Runner(
      this.#history,
      (target) => new OpenAiChat(target, this.#keyFor(target)),
      (error, target) =>
        this.#isOwn(target) ? failureSentence(error) : otherServerSentence(error),
    );
    this.#panel = new Panel(panelKind(), context.extensionUri, log, (message) =>
      this.#act(message),
    );
    this.#page = new RecordsPage({
      history: this.#history,
      runner: this.#runner,
      server,
      send: (news) => this.#panel.send(news),
    });
    this.#disposables = [this.#history, this.#panel, this.#page];
  }

  show(): void {
    this.#panel.show(true);
  }

  /** What our own server was asked here; others' servers are none of its business. */
  get requests(): readonly RecentRequest[] {
    const own = this.#history.records.filter(({ device }) => device !== "");
    return requestsOf(own, () => ({ command: commands.compare }));
  }

  dispose(): void {
    this.#runner.cancelAll();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #act(message: ToHost): Promise<void> {
    switch (message.type) {
      case "compare":
        return this.#compare(message.comparison);
      case "repeat":
        return this.#repeat(message.ids);
      case "copy":
        await vscode.env.clipboard.writeText(this.#history.find(message.id)?.text ?? "");
        this.#panel.send({ ...message, type: "copied" });
        return;
      case "lookForKey":
        return this.#tellKey(message.address);
      case "enterKey":
        await this.#keys.enter(message.address);
        return this.#tellKey(message.address);
      case "loaded":
      case "startServer":
      case "cancel":
      case "clear":
      case "undoClear":
      case "export":
        return this.#page.act(message);
    }
  }

  async #compare(comparison: Comparison): Promise<void> {
    const own = await this.#server.ready();
    await this.#ask(comparison.prompt, questionsOf(comparison, own), own);
  }

  /** Ask the same again; what went to our own server goes where it is now. */
  async #repeat(ids: readonly string[]): Promise<void> {
    const again = this.#history.records.filter(({ id }) => ids.includes(id));
    const [first] = again;
    if (!first) return;
    const own = await this.#server.ready();
    const questions = again.map(({ request, variant, address, model, device }) => ({
      request,
      ...(variant !== undefined && { variant }),
      // Only our own server has told its device.
      target: device === "" ? { address, model, device } : own,
    }));
    await this.#ask(first.title, questions, own);
  }

  async #ask(title: string, questions: readonly Question[], own: Target): Promise<void> {
    this.#ownAddress = own.address;
    for (const { target } of questions) {
      if (!this.#isOwn(target)) await this.#keys.of(target.address);
    }
    await this.#runner.ask(title, questions);
  }

  #isOwn(target: Target): boolean {
    return target.address === this.#ownAddress;
  }

  /** Nobody else gets the key of our own server. */
  #keyFor(target: Target): string | undefined {
    return this.#isOwn(target) ? undefined : this.#keys.lastOf(target.address);
  }

  async #tellKey(address: string): Promise<void> {
    const isKept = (await this.#keys.of(address)) !== "";
    this.#panel.send({ type: "key", address, isKept });
  }
}

/** What went wrong with a server that is not ours. */
export function otherServerSentence(error: unknown): string {
  if (error instanceof UnreachableError) {
    const fix = vscode.l10n.t("Check the address, or start that server.");
    return `${error.message} ${fix}`;
  }
  if (error instanceof ServerRefusedError && (error.status === 401 || error.status === 403)) {
    return vscode.l10n.t(
      'The server wants a key, or another one: enter it with the button "Key" beside its address.',
    );
  }
  return failureSentence(error);
}
