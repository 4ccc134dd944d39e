import * as vscode from "vscode";
import { commands } from "../ids";
import { perform } from "../problem";
import { whenKeyIsRefused } from "./http";
import { useKey } from "./ownKey";

const secret = "tenstorrent.serverKey";

type Secrets = Pick<vscode.SecretStorage, "get" | "store" | "delete" | "onDidChange">;

/** Ask servers with the key that is kept, and offer to enter one when they want another. */
export function attendKey(secrets: Secrets): vscode.Disposable {
  const read = async (): Promise<void> => useKey(await secrets.get(secret));
  void read();
  let isOffering = false;
  whenKeyIsRefused(() => {
    if (isOffering) return;
    isOffering = true;
    void offerToEnter().finally(() => (isOffering = false));
  });
  // Another window may have got it.
  return secrets.onDidChange(({ key }) => {
    if (key === secret) void read();
  });
}

/** Let the user enter the key of the servers of this user; nothing entered removes it. */
export async function enterServerKey(secrets: Secrets): Promise<void> {
  const entered = await vscode.window.showInputBox({
    title: vscode.l10n.t("The Server's Key"),
    prompt: vscode.l10n.t(
      "It is kept by the editor and sent to your own server only. Leave it empty to use that of TTDIRECT_API_KEY.",
    ),
    password: true,
    ignoreFocusOut: true,
  });
  if (entered === undefined) return;
  const key = entered.trim();
  if (key === "") await secrets.delete(secret);
  else await secrets.store(secret, key);
  useKey(key === "" ? undefined : key);
}

async function offerToEnter(): Promise<void> {
  const enter = vscode.l10n.t("Enter the Server's Key");
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t("Your API server wants a key, or another one than it was asked with."),
    enter,
  );
  if (chosen === enter) await perform({ command: commands.enterServerKey });
}
