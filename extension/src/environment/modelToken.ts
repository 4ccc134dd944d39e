import * as vscode from "vscode";

const tokenKey = "huggingFaceToken";

/** The Hugging Face token, which lies in the editor's secret storage and nowhere else. */
export function readToken(secrets: vscode.SecretStorage): Thenable<string | undefined> {
  return secrets.get(tokenKey);
}

export async function forgetToken(secrets: vscode.SecretStorage): Promise<void> {
  await secrets.delete(tokenKey);
}

/**
 * Ask whether the hub wants a token for a model, and keep a new one.
 *
 * @returns whether it is a new one, or that the user gave up.
 */
export async function decideOnToken(
  secrets: vscode.SecretStorage,
  model: string,
): Promise<"new" | "asBefore" | "cancelled"> {
  const hasToken = (await readToken(secrets)) !== undefined;
  const keep = hasToken
    ? vscode.l10n.t("Use the stored Hugging Face token")
    : vscode.l10n.t("No Hugging Face token");
  const enter = hasToken
    ? vscode.l10n.t("Enter another Hugging Face token…")
    : vscode.l10n.t("Enter a Hugging Face token…");
  const chosen = await vscode.window.showQuickPick(
    [{ label: keep }, { label: enter, description: vscode.l10n.t("optional, for gated models") }],
    {
      title: model,
      placeHolder: vscode.l10n.t("Does the hub ask for a token?"),
      ignoreFocusOut: true,
    },
  );
  if (chosen === undefined) return "cancelled";
  if (chosen.label === keep) return "asBefore";
  const text = await vscode.window.showInputBox({
    title: vscode.l10n.t("Hugging Face Token"),
    prompt: vscode.l10n.t(
      "Kept in the editor's secret storage, and given to the download and to the server alone.",
    ),
    placeHolder: "hf_…",
    password: true,
    ignoreFocusOut: true,
    validateInput: (entered) =>
      /^\S+$/.test(entered.trim()) ? undefined : vscode.l10n.t("Enter the token."),
  });
  if (text === undefined) return "cancelled";
  await secrets.store(tokenKey, text.trim());
  return "new";
}
