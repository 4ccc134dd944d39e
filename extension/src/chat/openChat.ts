import * as vscode from "vscode";
import { languageModelVendor, participant } from "../ids";
import { openSettings, Problem } from "../problem";

/**
 * Open the editor's chat on our participant, and ask if there is a question.
 *
 * The editor refuses a participant while no language model is chosen, and its agent mode wants more
 * of a model than a small one has: so ours is chosen, in the mode for asking.
 *
 * @throws Problem when the editor has no chat.
 */
export async function openChat(question = ""): Promise<void> {
  const known = new Set(await vscode.commands.getCommands(true));
  if (!known.has("workbench.action.chat.open")) {
    throw new Problem(
      vscode.l10n.t("This editor has no chat, or it is turned off."),
      vscode.l10n.t("Turn it on in the settings."),
      [openSettings("chat.disableAIFeatures")],
    );
  }
  await vscode.commands.executeCommand("workbench.action.chat.open", {
    query: `@${participant.name} ${question}`,
    isPartialQuery: question === "",
    mode: "ask",
    modelSelector: { vendor: languageModelVendor },
  });
}
