import * as path from "node:path";
import * as vscode from "vscode";
import { fenced } from "../fenced";
import type { Message } from "../server/openai";

/** Something that the user gave along with a question. */
export interface Attachment {
  /** As "server.py, lines 3 to 9": for the model, so in English. */
  readonly name: string;
  /** Of the code, for the model and for Markdown. */
  readonly language: string;
  readonly text: string;
  readonly source?: vscode.Uri | vscode.Location;
}

/** What was attached, in the order of the question; what cannot be read as text is only named. */
export interface Attached {
  readonly attachments: readonly Attachment[];
  readonly unreadable: readonly string[];
}

export async function readReferences(
  references: readonly vscode.ChatPromptReference[],
): Promise<Attached> {
  const attachments: Attachment[] = [];
  const unreadable: string[] = [];
  // The editor names the last one first.
  for (const reference of references.toReversed()) {
    const attachment = await read(reference).catch(() => undefined);
    if (attachment) attachments.push(attachment);
    else unreadable.push(nameOf(reference));
  }
  return { attachments, unreadable };
}

/**
 * The attachments as an exchange of its own before the question.
 *
 * The question stays by itself then, which small models understand better, and the roles take
 * turns, which many chat templates want.
 */
export function exchangeOf(attachments: readonly Attachment[]): readonly Message[] {
  if (attachments.length === 0) return [];
  const blocks = attachments.map(
    ({ name, language, text }) => `${name}:\n${fenced(text, language)}`,
  );
  return [
    { role: "user", content: blocks.join("\n\n") },
    { role: "assistant", content: "I have read it. What do you want to know?" },
  ];
}

/**
 * The attachments, cut at the end of lines to a share of their length.
 *
 * @param share from 0 to 1.
 */
export function shortened(
  attachments: readonly Attachment[],
  share: number,
): readonly Attachment[] {
  return attachments.map((attachment) => {
    const kept = attachment.text.slice(0, Math.floor(attachment.text.length * share));
    const lines = kept.slice(0, kept.lastIndexOf("\n") + 1);
    return { ...attachment, text: `${lines}[...]` };
  });
}

async function read({
  value,
  modelDescription,
}: vscode.ChatPromptReference): Promise<Attachment | undefined> {
  if (typeof value === "string") {
    return { name: modelDescription ?? "Text", language: "", text: value };
  }
  if (value instanceof vscode.Uri) return readFile(value);
  return value instanceof vscode.Location ? readFile(value.uri, value) : undefined;
}

async function readFile(uri: vscode.Uri, location?: vscode.Location): Promise<Attachment> {
  const document = await vscode.workspace.openTextDocument(uri);
  const file = path.basename(uri.path);
  const language = document.languageId;
  if (!location) return { name: file, language, text: document.getText(), source: uri };
  const { start, end } = location.range;
  // A selection of whole lines ends at the beginning of the next one.
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  const lines = last === start.line + 1 ? `line ${last}` : `lines ${start.line + 1} to ${last}`;
  const text = document.getText(location.range);
  return { name: `${file}, ${lines}`, language, text, source: location };
}

function nameOf({ id, value }: vscode.ChatPromptReference): string {
  return value instanceof vscode.Uri ? path.basename(value.path) : id;
}
