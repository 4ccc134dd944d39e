import { readdir, readFile } from "node:fs/promises";
import * as path from "node:path";
import { l10n } from "vscode";

/** `HF_MODEL` for the small model that ships with ttdirect. */
export const shippedModel = "demo";

const weightIndex = "model.safetensors.index.json";
const tokenizerFiles = ["tokenizer.json", "tokenizer.model", "vocab.json"];

/** How a server calls a model that it has loaded, in `/health`. */
export function servedName(model: string): string {
  return model === shippedModel ? "ttdirect-demo" : path.basename(model);
}

export type ModelKind = "shipped" | "folder" | "hub";

export function kindOfModel(model: string): ModelKind {
  if (model === shippedModel) return "shipped";
  return path.isAbsolute(model) ? "folder" : "hub";
}

/** Why a text is no name on the hub, in a sentence; undefined when it is one. */
export function hubNameProblem(text: string): string | undefined {
  const name = text.trim();
  if (name === "") {
    return l10n.t(
      "Enter the name of a model, for example {0}.",
      "meta-llama/Llama-3.2-1B-Instruct",
    );
  }
  if (/^https?:/.test(name)) {
    return l10n.t("Enter only owner/name, without the address of the hub.");
  }
  const parts = name.split("/");
  if (parts.length !== 2) {
    return l10n.t("A model's name on the hub is owner/name, with one slash.");
  }
  const isName = parts.every((part) => /^\w(?:[\w.-]{0,94}\w)?$/.test(part));
  if (!isName || name.includes("--") || name.includes("..")) {
    return l10n.t(
      "A name holds letters, digits, '_', '-' and '.', and begins and ends with none of the last two.",
    );
  }
  return undefined;
}

/** Why a folder is no checkpoint that the server can load, in a sentence; undefined when it is. */
export async function folderProblem(folder: string): Promise<string | undefined> {
  let files: ReadonlySet<string>;
  try {
    files = new Set(await readdir(folder));
  } catch {
    return l10n.t("The folder {0} cannot be read.", folder);
  }
  if (!files.has("config.json")) {
    return l10n.t("{0} has no config.json, so it is not a Hugging Face checkpoint.", folder);
  }
  if (!tokenizerFiles.some((name) => files.has(name))) {
    return l10n.t("{0} has no tokenizer ({1}).", folder, tokenizerFiles.join(", "));
  }
  const missing = (await listedWeights(folder, files)).filter((name) => !files.has(name));
  if (missing.length > 0) {
    return l10n.t("{0} lacks {1}: download it again.", folder, missing.join(", "));
  }
  if (![...files].some((name) => name.endsWith(".safetensors"))) {
    return l10n.t(
      "{0} has no *.safetensors; older *.bin weights have to be converted first.",
      folder,
    );
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
