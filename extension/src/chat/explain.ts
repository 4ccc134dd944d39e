import * as vscode from "vscode";
import { commands } from "../ids";
import { scriptExists } from "../lesson/script";
import type { ReadyState } from "../server/waiting";
import { answer } from "./answer";
import type { Attachment } from "./attachments";
import type { Talk } from "./talk";
import type { Turn } from "./turns";

/** A part of the script under a heading such as `# 1. Settings`. Lines count from 0. */
export interface Section {
  readonly title: string;
  readonly firstLine: number;
  /** The line behind the last one. */
  readonly endLine: number;
}

export function sectionsOf(script: string): readonly Section[] {
  const lines = script.split("\n");
  const headings = lines.flatMap((line, number) => {
    const title = /^# (\d\. .+)$/.exec(line)?.[1];
    return title === undefined ? [] : [{ title, firstLine: number }];
  });
  return headings.map((heading, index) => ({
    ...heading,
    endLine: headings[index + 1]?.firstLine ?? lines.length,
  }));
}

/** The section that the words after the command mean: its number, or a word of its title. */
export function sectionMeant(words: string, sections: readonly Section[]): Section | undefined {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return undefined;
  return sections.find(({ title }) => {
    const [number = "", ...rest] = title.toLowerCase().split(/[ .,]+/);
    const telling = rest.filter((word) => word.length > 4);
    return wanted === number || telling.some((word) => wanted.split(/\W+/).includes(word));
  });
}

/** Show the way through the script, and have the model explain it or one of its sections. */
export async function explain(
  talk: Talk,
  ready: ReadyState,
  scriptPath: string,
): Promise<Turn | undefined> {
  const { response, prompt } = talk;
  if (!(await scriptExists(scriptPath))) {
    response.markdown(
      vscode.l10n.t("There is no script yet: the server that runs was started in another way."),
    );
    response.button({ title: vscode.l10n.t("Create the Script"), command: commands.createScript });
    return undefined;
  }
  const document = await vscode.workspace.openTextDocument(scriptPath);
  const uri = document.uri;
  const sections = sectionsOf(document.getText());
  const meant = sectionMeant(prompt, sections);
  const placeOf = ({ firstLine, endLine }: Section): vscode.Location =>
    new vscode.Location(uri, new vscode.Range(firstLine, 0, endLine, 0));

  if (meant === undefined && sections.length > 0) {
    response.markdown(`${vscode.l10n.t("The parts of your script:")}\n\n`);
    for (const section of sections) {
      response.markdown("- ");
      response.anchor(placeOf(section), section.title);
      response.markdown("\n");
    }
    response.markdown("\n");
  }
  const source = meant ? placeOf(meant) : uri;
  // What the model reads is English, as the lesson and the model that ships are.
  const attachment: Attachment = {
    name: meant ? `The section "${meant.title}" of the server script` : "The server script",
    language: "python",
    text: document.getText(meant && placeOf(meant).range),
    source,
  };
  const own = meant === undefined ? prompt.trim() : "";
  const usual = meant
    ? `What does the section "${meant.title}" of the server script do?`
    : "What does the server script do?";
  return answer(talk, ready, own || usual, [attachment]);
}
