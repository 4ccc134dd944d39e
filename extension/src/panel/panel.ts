import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { reportProblem } from "../problem";
import { page } from "./page";

/** What tells one panel from the others. */
export interface PanelKind<ToHost> {
  /** As in the activation event `onWebviewPanel:...`. */
  readonly viewType: string;
  readonly title: string;
  /** The name of its script and style in `dist/webview`. */
  readonly bundle: string;
  /** Whether its page may say this. */
  readonly isToHost: (message: unknown) => message is ToHost;
}

/**
 * A panel of ours, of which there is one at most: it survives a reload of the window.
 *
 * Its page says "loaded" when it listens.
 */
export class Panel<ToHost extends { readonly type: string }, ToWebview>
  implements vscode.Disposable, vscode.WebviewPanelSerializer
{
  readonly #kind: PanelKind<ToHost>;
  readonly #extensionUri: vscode.Uri;
  readonly #log: vscode.LogOutputChannel;
  readonly #act: (message: ToHost) => Promise<void>;
  readonly #hidden = new vscode.EventEmitter<void>();
  readonly #serializer: vscode.Disposable;
  #panel: vscode.WebviewPanel | undefined;
  /** Whether the page's script listens: not before it says so, and not while it is hidden. */
  #listens = false;
  #afterLoading: ToWebview | undefined;

  /** The page is gone, because its panel is closed or behind another; it says "loaded" again. */
  readonly onDidHide = this.#hidden.event;

  /** @param act does what the page asks for; what it throws is told with a way out. */
  constructor(
    kind: PanelKind<ToHost>,
    extensionUri: vscode.Uri,
    log: vscode.LogOutputChannel,
    act: (message: ToHost) => Promise<void>,
  ) {
    this.#kind = kind;
    this.#extensionUri = extensionUri;
    this.#log = log;
    this.#act = act;
    this.#serializer = vscode.window.registerWebviewPanelSerializer(kind.viewType, this);
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
        this.#kind.viewType,
        this.#kind.title,
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
    this.#hidden.dispose();
  }

  #adopt(panel: vscode.WebviewPanel): void {
    this.#panel?.dispose();
    this.#panel = panel;
    this.#listens = false;
    panel.onDidDispose(() => {
      if (this.#panel !== panel) return;
      this.#panel = undefined;
      this.#hide();
    });
    panel.onDidChangeViewState(() => {
      // A hidden page is thrown away; it loads again when it is shown.
      if (!panel.visible) this.#hide();
    });
    panel.webview.onDidReceiveMessage((message: unknown) => this.#receive(message));

    const root = vscode.Uri.joinPath(this.#extensionUri, "dist", "webview");
    const { webview } = panel;
    const source = (file: string): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(root, file)).toString();
    webview.options = { enableScripts: true, localResourceRoots: [root] };
    const { bundle } = vscode.l10n;
    webview.html = page({
      title: this.#kind.title,
      language: bundle ? vscode.env.language : "en",
      translations: bundle,
      cspSource: webview.cspSource,
      script: source(`${this.#kind.bundle}.js`),
      style: source(`${this.#kind.bundle}.css`),
      nonce: randomUUID(),
    });
  }

  #hide(): void {
    if (!this.#listens) return;
    this.#listens = false;
    this.#hidden.fire();
  }

  #receive(message: unknown): void {
    if (!this.#kind.isToHost(message)) {
      const said = JSON.stringify(message);
      this.#log.warn(`Unknown message from the page "${this.#kind.title}": ${said}`);
      return;
    }
    if (message.type === "loaded") this.#listens = true;
    this.#act(message).catch((error: unknown) => reportProblem(error, this.#log));
    if (message.type === "loaded" && this.#afterLoading !== undefined) {
      this.send(this.#afterLoading);
      this.#afterLoading = undefined;
    }
  }
}
