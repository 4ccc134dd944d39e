import * as vscode from "vscode";
import { shortAddress } from "./address";

/** The keys of other servers, kept by the editor where it keeps secrets; no page ever sees one. */
export class Keys {
  constructor(readonly secrets: Pick<vscode.SecretStorage, "get" | "store" | "delete">) {}

  /** Empty when none is kept. */
  async of(address: string): Promise<string> {
    return (await this.secrets.get(nameOf(address))) ?? "";
  }

  /** Let the user enter a key; nothing entered removes the one that is kept. */
  async enter(address: string): Promise<void> {
    const entered = await vscode.window.showInputBox({
      title: `API Key of ${shortAddress(address)}`,
      prompt: `It is kept by the editor and sent to ${address} only. Leave it empty to remove it.`,
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
