import * as vscode from "vscode";
import { shortAddress } from "./address";

/** The keys of other servers, kept by the editor where it keeps secrets; no page ever sees one. */
export class Keys {
  /** What was read last, by address, for a request that cannot wait for the editor. */
  readonly #read = new Map<string, string>();

  constructor(readonly secrets: Pick<vscode.SecretStorage, "get" | "store" | "delete">) {}

  /** Empty when none is kept. */
  async of(address: string): Promise<string> {
    const key = (await this.secrets.get(nameOf(address))) ?? "";
    this.#read.set(address, key);
    return key;
  }

  /** The same as it was when `of` was asked last. */
  lastOf(address: string): string {
    return this.#read.get(address) ?? "";
  }

  /** Let the user enter a key; nothing entered removes the one that is kept. */
  async enter(address: string): Promise<void> {
    const entered = await vscode.window.showInputBox({
      title: vscode.l10n.t("API Key of {0}", shortAddress(address)),
      prompt: vscode.l10n.t(
        "It is kept by the editor and sent to {0} only. Leave it empty to remove it.",
        address,
      ),
      password: true,
      ignoreFocusOut: true,
    });
    if (entered === undefined) return;
    const key = entered.trim();
    if (key === "") await this.secrets.delete(nameOf(address));
    else await this.secrets.store(nameOf(address), key);
  }
}

function nameOf(address: string): string {
  return `tenstorrent.key ${address}`;
}
