import { readdir, readFile } from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";
import { settings as names } from "../ids";
import { readSettings, writeUserSetting } from "../settings";

/** `HF_MODEL` for the small model that ships with ttdirect. */
export const shippedModel = "demo";

const tokenKey = "huggingFaceToken";
const weightIndex = "model.safetensors.index.json";
const tokenizerFiles = ["tokenizer.json", "tokenizer.model", "vocab.json"];

export type ModelKind = "shipped" | "folder" | "hub";

export function kindOfModel(model: string): ModelKind {
  if (model === shippedModel) return "shipped";
  return path.isAbsolute(model) ? "folder" : "hub";
}

/** Why a text is no name on the hub, in a sentence; undefined when it is one. */
export function hubNameProblem(text: string): string | undefined {
  const name = text.trim();
  if (name === "")
    return "Enter the name of a model, for example meta-llama/Llama-3.2-1B-Instruct.";
  if (/^https?:/.test(name)) return "Enter only owner/name, without the address of the hub.";
  const parts = name.split("/");
  if (parts.length !== 2) return "A model's name on the hub is owner/name, with one slash.";
  const isName = parts.every((part) => /^\w(?:[\w.-]{0,94}\w)?$/.test(part));
  if (!isName || name.includes("--") || name.includes("..")) {
    return "A name holds letters, digits, '_', '-' and '.', and begins and ends with none of the last two.";
  }
  return undefined;
}

/** Why a folder is no checkpoint that the server can load, in a sentence; undefined when it is. */
export async function folderProblem(folder: string): Promise<string | undefined> {
  let files: ReadonlySet<string>;
  try {
    files = new Set(await readdir(folder));
  } catch {
    return `The folder ${folder} cannot be read.`;
  }
  if (!files.has("config.json")) {
    return `${folder} has no config.json, so it is not a Hugging Face checkpoint.`;
  }
  if (!tokenizerFiles.some((name) => files.has(name))) {
    return `${folder} has no tokenizer (${tokenizerFiles.join(", ")}).`;
  }
  const missing = (await listedWeights(folder, files)).filter((name) => !files.has(name));
  if (missing.length > 0) return `${folder} lacks ${missing.join(", ")}: download it again.`;
  if (![...files].some((name) => name.endsWith(".safetensors"))) {
    return `${folder} has no *.safetensors; older *.bin weights have to be converted first.`;
  }
  return undefined;
}

/** The weight files that a checkpoint's index names, none without an index that can be read. */
async function listedWeights(
  folder: string,
  files: ReadonlySet<string>,
): Promise<readonly string[]> {
  if (!files.has(weightIndex)) return [];
  try {
    const index: unknown = JSON.parse(await readFile(path.join(folder, weightIndex), "utf8"));
    const { weight_map } = index as { weight_map: Record<string, string> };
    return [...new Set(Object.values(weight_map))];
  } catch {
    return [];
  }
}

/** The Hugging Face token, which lies in the editor's secret storage and nowhere else. */
export function readToken(secrets: vscode.SecretStorage): Thenable<string | undefined> {
  return secrets.get(tokenKey);
}

/**
 * Let the user choose a model, and save the choice for this user.
 *
 * @returns whether the server has to start again for the choice to take effect.
 * @throws Problem when the workspace's own setting wins over the choice.
 */
export async function chooseModel(secrets: vscode.SecretStorage): Promise<boolean> {
  const hasToken = (await readToken(secrets)) !== undefined;
  const before = readSettings().model;
  const chosen = await pickKind(before, hasToken);
  switch (chosen) {
    case undefined:
      return false;
    case "removeToken":
      await secrets.delete(tokenKey);
      return false;
    case "shipped":
      return save(before, shippedModel);
    case "folder": {
      const folder = await pickFolder(before);
      return folder !== undefined && (await save(before, folder));
    }
    case "hub": {
      const name = await enterHubName(before);
      if (name === undefined) return false;
      const token = await decideOnToken(name, hasToken);
      if (token === "cancelled") return false;
      if (token !== undefined) await secrets.store(tokenKey, token.text);
      const isOther = await save(before, name);
      return isOther || token !== undefined;
    }
  }
}

async function save(before: string, model: string): Promise<boolean> {
  await writeUserSetting(names.model, model);
  return readSettings().model !== before;
}

async function pickKind(
  current: string,
  hasToken: boolean,
): Promise<ModelKind | "removeToken" | undefined> {
  const kind = kindOfModel(current);
  const mark = (of: ModelKind): { description?: string } =>
    kind === of ? { description: of === "shipped" ? "in use" : `in use: ${current}` } : {};
  const items = [
    {
      choice: "shipped" as const,
      label: "$(package) The model that ships with the extension",
      detail: "Small, needs no download, answers on the CPU.",
      ...mark("shipped"),
    },
    {
      choice: "folder" as const,
      label: "$(folder) A folder…",
      detail: "A Hugging Face checkpoint on this computer: config.json, tokenizer, *.safetensors.",
      ...mark("folder"),
    },
    {
      choice: "hub" as const,
      label: "$(cloud-download) A model on the Hugging Face hub…",
      detail: "Downloaded when the server starts for the first time.",
      ...mark("hub"),
    },
    ...(hasToken
      ? [{ choice: "removeToken" as const, label: "$(trash) Remove the Hugging Face token" }]
      : []),
  ];
  const picked = await vscode.window.showQuickPick(items, {
    title: "Choose the Model",
    placeHolder: "Which model shall the server load?",
  });
  return picked?.choice;
}

/** Ask for a folder until it holds a checkpoint, or the user gives up. */
async function pickFolder(current: string): Promise<string | undefined> {
  let start = kindOfModel(current) === "folder" ? current : undefined;
  for (;;) {
    const chosen = await vscode.window.showOpenDialog({
      title: "The Folder with the Checkpoint",
      openLabel: "Use This Model",
      canSelectFiles: false,
      canSelectFolders: true,
      ...(start === undefined ? {} : { defaultUri: vscode.Uri.file(start) }),
    });
    const folder = chosen?.[0]?.fsPath;
    if (folder === undefined) return undefined;
    const problem = await folderProblem(folder);
    if (problem === undefined) return folder;
    const again = "Choose Another Folder";
    if ((await vscode.window.showErrorMessage(problem, again)) !== again) return undefined;
    start = folder;
  }
}

async function enterHubName(current: string): Promise<string | undefined> {
  const name = await vscode.window.showInputBox({
    title: "A Model on the Hugging Face Hub",
    prompt: "Its name there, as owner/name.",
    placeHolder: "meta-llama/Llama-3.2-1B-Instruct",
    value: kindOfModel(current) === "hub" ? current : "",
    ignoreFocusOut: true,
    validateInput: hubNameProblem,
  });
  return name?.trim();
}

/** @returns a new token, undefined for leaving things as they are, or that the user gave up. */
async function decideOnToken(
  model: string,
  hasToken: boolean,
): Promise<{ readonly text: string } | "cancelled" | undefined> {
  const keep = hasToken ? "Use the stored Hugging Face token" : "No Hugging Face token";
  const enter = hasToken ? "Enter another Hugging Face token…" : "Enter a Hugging Face token…";
  const chosen = await vscode.window.showQuickPick(
    [{ label: keep }, { label: enter, description: "optional, for gated models" }],
    { title: model, placeHolder: "Does the hub ask for a token?", ignoreFocusOut: true },
  );
  if (chosen === undefined) return "cancelled";
  if (chosen.label === keep) return undefined;
  const text = await vscode.window.showInputBox({
    title: "Hugging Face Token",
    prompt: "Kept in the editor's secret storage, and given to the server alone.",
    placeHolder: "hf_…",
    password: true,
    ignoreFocusOut: true,
    validateInput: (entered) => (/^\S+$/.test(entered.trim()) ? undefined : "Enter the token."),
  });
  return text === undefined ? "cancelled" : { text: text.trim() };
}
