import * as vscode from "vscode";
import { commands, settings as names } from "../ids";
import { Problem } from "../problem";
import { readSettings, requireFree, writeUserSetting } from "../settings";
import { folderProblem, hubNameProblem, kindOfModel, servedName, shippedModel } from "./model";
import type { KnownModel } from "./modelCatalogue";
import type { RecentModels } from "./modelRecents";
import { type ModelChoice, modelRows } from "./modelRows";
import { decideOnToken, forgetToken, readToken } from "./modelToken";

/** What choosing a model works with. */
export interface ModelTools {
  readonly secrets: vscode.SecretStorage;
  readonly recents: RecentModels;
  /** What the server that runs calls its model; undefined while none is ready. */
  readonly running?: string | undefined;
  /** Every known model, those in `named` too; undefined as long as the backend is not installed. */
  readonly catalogue: (named: readonly string[]) => Promise<readonly KnownModel[] | undefined>;
  /** Rejects when the model cannot be had, or the user ends the download. */
  readonly download: (model: string, token: string | undefined) => Promise<void>;
}

/** A model that was chosen elsewhere, so that no list is shown. */
export interface WantedModel {
  /** As the setting has it: `demo`, an absolute folder, or a name on the hub. */
  readonly model: string;
  /** Whether to ask for a token first: the hub has refused the model without one. */
  readonly asksForToken: boolean;
}

/**
 * Let the user choose a model, get its files, and save the choice for this user.
 *
 * @returns whether the server has to start again for the choice to take effect.
 * @throws Problem when the model cannot be had, or the workspace's own setting wins over the choice.
 * @throws vscode.CancellationError when the user ends the download.
 */
export async function chooseModel(tools: ModelTools, wanted?: WantedModel): Promise<boolean> {
  if (wanted) return useWanted(tools, wanted);
  const choice = await pickFromList(tools);
  switch (choice?.kind) {
    case undefined:
      return false;
    case "removeToken":
      await forgetToken(tools.secrets);
      return false;
    case "use": {
      const { model, known } = choice;
      if (kindOfModel(model) !== "hub") return useFromHere(tools, model, known);
      const asksForToken = known?.needs_account === true && !known.is_here;
      return useFromHub(tools, { model, asksForToken }, known);
    }
    case "folder": {
      const folder = await pickFolder(readSettings().model);
      return folder !== undefined && save(tools, folder);
    }
    case "hub": {
      const model = await enterHubName(readSettings().model);
      if (model === undefined) return false;
      return useFromHub(tools, { model, asksForToken: true }, await judge(tools, model));
    }
  }
}

/** Say what a server that does not run yet will load, and offer to start it. */
export async function tellNextStart(model: string): Promise<void> {
  const name = model === shippedModel ? vscode.l10n.t("the model that ships") : model;
  const start = vscode.l10n.t("Start the Server");
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t("The server is stopped. It loads {0} when it starts next.", name),
    start,
  );
  if (chosen === start) await vscode.commands.executeCommand(commands.start);
}

async function pickFromList(tools: ModelTools): Promise<ModelChoice | undefined> {
  const current = readSettings().model;
  const recent = tools.recents.all();
  // Not before the backend has answered: rows that move would be missed by a click.
  const rows = Promise.all([tools.catalogue([current, ...recent]), readToken(tools.secrets)]).then(
    ([catalogue, token]) =>
      modelRows({ current, recent, catalogue, hasToken: token !== undefined }),
  );
  const picked = await vscode.window.showQuickPick(rows, {
    title: vscode.l10n.t("Choose the Model"),
    placeHolder: vscode.l10n.t("Which model shall the server load?"),
    matchOnDescription: true,
  });
  return picked?.choice;
}

async function judge(tools: ModelTools, model: string): Promise<KnownModel | undefined> {
  const catalogue = await tools.catalogue([model]);
  return catalogue?.find(({ id }) => id.toLowerCase() === model.toLowerCase());
}

async function useWanted(tools: ModelTools, wanted: WantedModel): Promise<boolean> {
  const { model } = wanted;
  const kind = kindOfModel(model);
  if (kind === "shipped") return save(tools, model);
  const problem = kind === "hub" ? hubNameProblem(model) : await folderProblem(model);
  if (problem !== undefined) throw new Problem(problem, "");
  if (kind === "folder") return save(tools, model);
  return useFromHub(tools, wanted, await judge(tools, model));
}

async function useFromHere(
  tools: ModelTools,
  model: string,
  known: KnownModel | undefined,
): Promise<boolean> {
  requireFree(names.model, model);
  if (known?.fits === "no" && !(await wantsItAnyway(known))) return false;
  return save(tools, model);
}

/** @param known undefined as long as the backend is not installed: then the server downloads. */
async function useFromHub(
  tools: ModelTools,
  { model, asksForToken }: WantedModel,
  known: KnownModel | undefined,
): Promise<boolean> {
  const mustDownload = known?.is_here === false;
  requireFree(names.model, model);
  if (known?.fits === "no" && !(await wantsItAnyway(known))) return false;
  const token = asksForToken ? await decideOnToken(tools.secrets, model) : "asBefore";
  if (token === "cancelled") return false;
  if (mustDownload) await tools.download(model, await readToken(tools.secrets));
  const isOther = await save(tools, model);
  return isOther || token === "new";
}

async function wantsItAnyway({ id, reason, is_here }: KnownModel): Promise<boolean> {
  const anyway = is_here ? vscode.l10n.t("Use It Anyway") : vscode.l10n.t("Download It Anyway");
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t("{0} seems too large for this computer.", id),
    { modal: true, detail: reason },
    anyway,
  );
  return chosen === anyway;
}

async function save(tools: ModelTools, model: string): Promise<boolean> {
  const before = readSettings().model;
  await tools.recents.add(before);
  await tools.recents.add(model);
  await writeUserSetting(names.model, model);
  const now = readSettings().model;
  const isServed = tools.running === undefined || tools.running === servedName(now);
  return now !== before || !isServed;
}

/** Ask for a folder until it holds a checkpoint, or the user gives up. */
async function pickFolder(current: string): Promise<string | undefined> {
  let start = kindOfModel(current) === "folder" ? current : undefined;
  for (;;) {
    const chosen = await vscode.window.showOpenDialog({
      title: vscode.l10n.t("The Folder with the Checkpoint"),
      openLabel: vscode.l10n.t("Use This Model"),
      canSelectFiles: false,
      canSelectFolders: true,
      ...(start === undefined ? {} : { defaultUri: vscode.Uri.file(start) }),
    });
    const folder = chosen?.[0]?.fsPath;
    if (folder === undefined) return undefined;
    const problem = await folderProblem(folder);
    if (problem === undefined) return folder;
    const again = vscode.l10n.t("Choose Another Folder");
    if ((await vscode.window.showErrorMessage(problem, again)) !== again) return undefined;
    start = folder;
  }
}

async function enterHubName(current: string): Promise<string | undefined> {
  const name = await vscode.window.showInputBox({
    title: vscode.l10n.t("A Model on the Hugging Face Hub"),
    prompt: vscode.l10n.t("Its name there, as owner/name."),
    placeHolder: "meta-llama/Llama-3.2-1B-Instruct",
    value: kindOfModel(current) === "hub" ? current : "",
    ignoreFocusOut: true,
    validateInput: hubNameProblem,
  });
  return name?.trim();
}
