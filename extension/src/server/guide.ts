import * as vscode from "vscode";
import { extensionId } from "../ids";
import type { Remedy } from "../problem";
import type { Failure } from "./state";

/** The guide for owners of a card, in the extension's folder; the same file is in the wheel. */
export const guidePath = "backend/ttdirect/device/when-a-card-fails.md";

/** The section that a failure of a card names in the command at its end (`device/errors.py`). */
export function sectionOf({ fix }: Failure): string | undefined {
  return /\bttdirect doctor --explain ([\w-]+)\)$/.exec(fix)?.[1];
}

/** The button that opens that section; undefined for failures that no card has to do with. */
export function whatToDo(failure: Failure): Remedy | undefined {
  const fragment = sectionOf(failure);
  if (fragment === undefined) return undefined;
  const extension = vscode.extensions.getExtension(extensionId);
  if (!extension) return undefined;
  const guide = vscode.Uri.joinPath(extension.extensionUri, guidePath).with({ fragment });
  const title = vscode.l10n.t("What To Do");
  return { title, command: "markdown.showPreview", arguments: [guide] };
}
