import * as path from "node:path";
import * as vscode from "vscode";
import { sentence } from "../sentence";
import { bytes } from "../status/words";
import { kindOfModel, shippedModel } from "./model";
import type { KnownModel } from "./modelCatalogue";

/** What a row of the list does. */
export type ModelChoice =
  | { readonly kind: "use"; readonly model: string; readonly known?: KnownModel | undefined }
  | { readonly kind: "folder" | "hub" | "removeToken" };

export interface ModelRow extends vscode.QuickPickItem {
  /** Separators have none. */
  readonly choice?: ModelChoice;
}

/** What the list is made of. */
export interface ModelList {
  /** The setting as it is now. */
  readonly current: string;
  readonly recent: readonly string[];
  /** Undefined as long as the backend is not installed. */
  readonly catalogue: readonly KnownModel[] | undefined;
  readonly hasToken: boolean;
}

/**
 * The rows to choose a model from.
 *
 * What is always there comes first, so that it never lies beyond the list's lower edge.
 */
export function modelRows(list: ModelList): readonly ModelRow[] {
  const { current, recent, catalogue = [], hasToken } = list;
  const byId = new Map(catalogue.map((known) => [known.id.toLowerCase(), known]));
  const known = (model: string): KnownModel | undefined => byId.get(model.toLowerCase());
  const used = [current, ...recent].filter((model) => model !== shippedModel);
  // A folder that was removed can be used no more; what is in use is shown all the same.
  const remembered = used.filter(
    (model) => model === current || kindOfModel(model) === "hub" || known(model)?.is_here !== false,
  );
  // Folders are in the catalogue only because they were asked about.
  const others = catalogue.filter(({ origin }) => origin !== "shipped" && origin !== "folder");
  const seen = new Set<string>();
  const models = [...remembered, ...others.map(({ id }) => id)].filter((model) => {
    const isNew = !seen.has(model.toLowerCase());
    seen.add(model.toLowerCase());
    return isNew;
  });
  const isHere = (model: string): boolean =>
    known(model)?.is_here ?? kindOfModel(model) === "folder";
  const row = (model: string): ModelRow => rowOf(model, known(model), isHere(model), current);
  return [
    shippedRow(known(shippedModel), current),
    ...actions(hasToken),
    ...section(vscode.l10n.t("On this computer"), models.filter(isHere).map(row)),
    ...section(vscode.l10n.t("On the hub"), models.filter((model) => !isHere(model)).map(row)),
  ];
}

function shippedRow(known: KnownModel | undefined, current: string): ModelRow {
  const small = vscode.l10n.t("Small, needs no download, answers on the CPU.");
  return {
    label: `$(package) ${vscode.l10n.t("The model that ships with the extension")}`,
    description: describe([...inUse(shippedModel, current), ...sizeOf(known)]),
    detail: known?.fits === "no" ? sentence(known.reason) : small,
    choice: { kind: "use", model: shippedModel, known },
  };
}

function actions(hasToken: boolean): readonly ModelRow[] {
  const remove: ModelRow = {
    label: `$(trash) ${vscode.l10n.t("Remove the Hugging Face token")}`,
    choice: { kind: "removeToken" },
  };
  return [
    {
      label: `$(folder) ${vscode.l10n.t("A folder…")}`,
      detail: vscode.l10n.t(
        "A Hugging Face checkpoint on this computer: config.json, tokenizer, *.safetensors.",
      ),
      choice: { kind: "folder" },
    },
    {
      label: `$(cloud-download) ${vscode.l10n.t("A model on the Hugging Face hub…")}`,
      detail: vscode.l10n.t("Any other one, by its name there; also gated and private ones."),
      choice: { kind: "hub" },
    },
    ...(hasToken ? [remove] : []),
  ];
}

function section(title: string, rows: readonly ModelRow[]): readonly ModelRow[] {
  if (rows.length === 0) return [];
  return [{ label: title, kind: vscode.QuickPickItemKind.Separator }, ...rows];
}

function rowOf(
  model: string,
  known: KnownModel | undefined,
  isHere: boolean,
  current: string,
): ModelRow {
  const isFolder = kindOfModel(model) === "folder";
  return {
    label: `$(${iconOf(known, isHere)}) ${isFolder ? path.basename(model) : model}`,
    description: describe([
      ...inUse(model, current),
      ...(isFolder ? [model] : []),
      ...sizeOf(known),
    ]),
    ...(known && { detail: detailOf(known) }),
    choice: { kind: "use", model, known },
  };
}

function iconOf(known: KnownModel | undefined, isHere: boolean): string {
  if (known?.fits === "no") return "warning";
  return isHere ? "database" : "desktop-download";
}

function inUse(model: string, current: string): readonly string[] {
  return model === current ? [vscode.l10n.t("in use")] : [];
}

/** As model cards count: 135M, 1.2B. */
export function describeParameters(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toFixed(1)}B` : `${Math.round(count / 1e6)}M`;
}

function sizeOf(known: KnownModel | undefined): readonly string[] {
  if (!known) return [];
  const parameters = known.parameters === null ? [] : [describeParameters(known.parameters)];
  if (known.is_here || known.download_bytes === null) return parameters;
  return [...parameters, vscode.l10n.t("{0} to download", bytes(known.download_bytes))];
}

function detailOf(known: KnownModel): string {
  const parts = [sentence(known.reason)];
  if (known.tokens_per_second !== null) {
    parts.push(vscode.l10n.t("{0} tokens/s are published for it.", known.tokens_per_second));
  }
  if (known.needs_account && !known.is_here) {
    parts.push(vscode.l10n.t("The hub asks for an account and a token."));
  }
  return parts.join(" ");
}

function describe(parts: readonly string[]): string {
  return parts.join(" · ");
}
