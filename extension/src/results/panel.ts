import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { isToHost } from "./guard";
import { page } from "./page";
import type { ToHost, ToWebview } from "./protocol";

const viewType = "tenstorrent.results";

/** The one panel that shows results: it comes and goes, and survives a reload of the window. */
export class ResultsPanel implements vscode.Disposable, vscode.WebviewPanelSerializer {
  readonly #extensionUri: vscode.Uri;
  readonly #log: vscode.LogOutputChannel;
  readonly #received = new vscode.EventEmitter<ToHost>();
  readonly #serializer: vscode.Disposable;
  #panel: vscode.WebviewPanel | undefined;
  /** Whether the page's script listens: not before it says so, and not while it is hidden. */
  #listens = false;
  #afterLoading: ToWebview | undefined;

  readonly onDidReceive = this.#received.event;

  constructor(extensionUri: vscode.Uri, log: vscode.LogOutputChannel) {
    this.#extensionUri = extensionUri;
    this.#log = log;
    this.#serializer = vscode.window.registerWebviewPanelSerializer(viewType, this);
  }

  /** Open the panel beside what the user looks at, or bring it to the front where it is. */
  show(takeFocus = false): void {
    if (this.#panel) {
      this.#panel.reveal(undefined, !takeFocus);
      return;
    }
    const hasNeighbour = vscode.window.tabGroups.activeTabGroup.activeTab !== undefined;
    const viewColumn = hasNeighbour ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active;
    this.#adopt(
      vscode.window.createWebviewPanel(
        viewType,
        "API Results",
        { viewColumn, preserveFocus: !takeFocus },
        { enableFindWidget: true },
      ),
    );
  }

  /** Tell the page, if it listens; a page that begins to listen asks for everything anyway. */
  send(message: ToWebview): void {
    if (this.#listens) void this.#panel?.webview.postMessage(message);
  }

  /** Open the panel and tell the page as soon as it listens. */
  showAndSend(message: ToWebview): void {
    this.show(true);
    if (this.#listens) this.send(message);
    else this.#afterLoading = message;
  }

  deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    this.#adopt(panel);
    return Promise.resolve();
  }

  dispose(): void {
    this.#serializer.dispose();
    this.#panel?.dispose();
    this.#received.dispose();
  }

  #adopt(panel: vscode.WebviewPanel): void {
    this.#panel?.dispose();
    this.#panel = panel;
    this.#listens = false;
    panel.onDidDispose(() => {
      if (this.#panel !== panel) return;
      this.#panel = undefined;
      this.#listens = false;
    });
    panel.onDidChangeViewState(() => {
      // A hidden page is thrown away; it loads again when it is shown.
      if (!panel.visible) this.#listens = false;
    });
    panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message));

    const root = vscode.Uri.joinPath(this.#extensionUri, "dist", "webview");
    const { webview } = panel;
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    webview.html = page({
      cspSource: webview.cspSource,
      script: webview.asWebviewUri(vscode.Uri.joinPath(root, "results.js")).toString(),
      style: webview.asWebviewUri(vscode.Uri.joinPath(root, "results.css")).toString(),
      nonce: randomUUID(),
    });
  }

  #receive(message: unknown): void {
    if (!isToHost(message)) {
      this.#log.warn(`Unknown message from the results view: ${JSON.stringify(message)}`);
      return;
    }
    if (message.type === "loaded") this.#listens = true;
    this.#received.fire(message);
    if (message.type === "loaded" && this.#afterLoading) {
      this.send(this.#afterLoading);
      this.#afterLoading = undefined;
    }
  }
}
