import * as vscode from "vscode";
import { Problem } from "../problem";
import type { Records } from "./history";

/** The file's text: for people and programs alike, so with the names and units of the server. */
export function exportText(records: Records, exportedAt: Date): string {
  const results = records.map((record) => ({
    title: record.title,
    variant: record.variant,
    batch: record.batch,
    status: record.status,
    sent_at: isoTime(record.sentAt),
    first_text_at: isoTime(record.firstTextAt),
    ended_at: isoTime(record.endedAt),
    address: record.address,
    model: record.model,
    device: record.device,
    request: record.request,
    response: record.text,
    tokens_generated: record.result?.tokens_generated,
    time_seconds: record.result?.time_seconds,
    tokens_per_second: record.result?.tokens_per_second,
    ttft_seconds: record.result?.ttft_seconds,
    queue_seconds: record.result?.queue_seconds,
    finish_reason: record.result?.finish_reason,
    error: record.error,
  }));
  return `${JSON.stringify({ exported_at: exportedAt.toISOString(), results }, undefined, 2)}\n`;
}

/** Ask where, and write the records there. */
export async function exportRecords(records: Records): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: vscode.l10n.t("Export the Results"),
    saveLabel: vscode.l10n.t("Export"),
    filters: { JSON: ["json"] },
    ...(folder ? { defaultUri: vscode.Uri.joinPath(folder, "api-results.json") } : {}),
  });
  if (!file) return;
  try {
    const bytes = new TextEncoder().encode(exportText(records, new Date()));
    await vscode.workspace.fs.writeFile(file, bytes);
  } catch (error) {
    throw new Problem(
      vscode.l10n.t("The results could not be written to {0}: {1}.", file.fsPath, String(error)),
      vscode.l10n.t("Choose another place."),
    );
  }
}

function isoTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
}
