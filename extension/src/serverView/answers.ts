import * as vscode from "vscode";
import type { Exchange } from "./sending";

const scheme = "tenstorrent-answer";

/** Shows answers of routes as texts that are read, not saved: one for each route. */
export class Answers implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  readonly onDidChange = this.#changed.event;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(scheme, this);
  }

  async show({ title, language, text }: Exchange): Promise<void> {
    const uri = vscode.Uri.from({ scheme, path: `/${title}` });
    this.#texts.set(uri.path, text);
    this.#changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.languages.setTextDocumentLanguage(document, language);
    await vscode.window.showTextDocument(document, { preview: false });
  }

  provideTextDocumentContent({ path }: vscode.Uri): string {
    return this.#texts.get(path) ?? vscode.l10n.t("This answer is gone: send the request again.");
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}
