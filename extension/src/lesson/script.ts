import { execFile } from "node:child_process";
import { access, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { commands } from "../ids";
import { Problem } from "../problem";

const run = promisify(execFile);
const createSeconds = 30;

/** What a new script is made of. */
export interface ScriptChoice {
  readonly python: string;
  readonly path: string;
  readonly device: "cpu" | "tenstorrent";
  /** "demo", a folder, or a name on the hub. */
  readonly model: string;
  readonly port: number;
}

/**
 * Have `ttdirect create` write the script; a script that the user changed is theirs to decide on.
 *
 * @throws Problem when it cannot be written; CancellationError when the user decides on nothing.
 */
export async function createScript(choice: ScriptChoice): Promise<void> {
  const created = await create(choice, choice.path);
  if (created === "done") return;
  // The command refuses to touch a changed script. Any other failure changes nothing by --diff.
  const difference = await create(choice, choice.path, "--diff");
  if (difference === "done" || difference.difference === "") throw failure(created.error);
  await decide(choice);
}

async function decide(choice: ScriptChoice): Promise<void> {
  const replace = vscode.l10n.t("Replace, Keep a Backup");
  const compare = vscode.l10n.t("Compare");
  const keep = vscode.l10n.t("Keep Mine");
  const answer = await vscode.window.showWarningMessage(
    vscode.l10n.t("{0} holds changes of yours.", choice.path),
    {
      modal: true,
      detail: vscode.l10n.t(
        "A new script can replace it; yours is then kept beside it with the ending .bak.",
      ),
    },
    replace,
    compare,
    keep,
  );
  if (answer === keep) return;
  if (answer === replace) {
    const replaced = await create(choice, choice.path, "--force");
    if (replaced !== "done") throw failure(replaced.error);
    return;
  }
  if (answer === compare) await showDifference(choice);
  throw new vscode.CancellationError();
}

async function showDifference(choice: ScriptChoice): Promise<void> {
  const fresh = join(await mkdtemp(join(tmpdir(), "ttdirect-")), "new-script.py");
  const created = await create(choice, fresh);
  if (created !== "done") throw failure(created.error);
  await vscode.commands.executeCommand(
    "vscode.diff",
    vscode.Uri.file(choice.path),
    vscode.Uri.file(fresh),
    vscode.l10n.t("Your script ↔ a new script"),
  );
}

interface NotCreated {
  /** What the command said on stderr. */
  readonly error: string;
  /** What it printed for --diff. */
  readonly difference: string;
}

async function create(
  { python, device, model, port }: ScriptChoice,
  path: string,
  ...more: string[]
): Promise<"done" | NotCreated> {
  const arguments_ = ["-m", "ttdirect", "create", "--output", path, "--device", device];
  arguments_.push("--model", model, "--port", String(port), ...more);
  try {
    await run(python, arguments_, { timeout: createSeconds * 1000, env: withoutModel() });
    return "done";
  } catch (error) {
    const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string };
    return { error: stderr?.trim() ?? message, difference: stdout ?? "" };
  }
}

/** The setting decides on the model, not what the editor's own environment happens to hold. */
function withoutModel(): NodeJS.ProcessEnv {
  return { ...process.env, HF_MODEL: undefined };
}

/** The command's two lines as a problem: "error: what" and "fix: what to do". */
function failure(stderr: string): Problem {
  const line = (mark: string): string | undefined =>
    stderr
      .split("\n")
      .find((text) => text.startsWith(mark))
      ?.slice(mark.length)
      .trim();
  const what =
    line("error:") ??
    stderr.split("\n").at(-1) ??
    vscode.l10n.t("The script could not be created.");
  return new Problem(`${what}.`.replace(/\.\.$/, "."), line("fix:") ?? "", [
    { title: vscode.l10n.t("Install"), command: commands.installFlask },
  ]);
}

/** Whether there is a script at the path. */
export async function scriptExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Open the script, at the beginning or at one of its numbered sections.
 *
 * @param path where it is.
 * @param options `section`: 1 to 5, as the script counts them itself. `keepFocus`: the keyboard
 *   stays where it is.
 * @throws Problem when there is no script yet.
 */
export async function openScript(
  path: string,
  { section, keepFocus = false }: { readonly section?: number; readonly keepFocus?: boolean } = {},
): Promise<void> {
  if (!(await scriptExists(path))) {
    throw new Problem(
      vscode.l10n.t("There is no script at {0} yet.", path),
      vscode.l10n.t("Create it first."),
      [{ title: vscode.l10n.t("Create the Script"), command: commands.createScript }],
    );
  }
  const document = await vscode.workspace.openTextDocument(path);
  const editor = await vscode.window.showTextDocument(document, {
    preview: false,
    viewColumn: columnFor(path),
    preserveFocus: keepFocus,
  });
  const line = section === undefined ? 0 : sectionLine(document.getText(), section);
  const start = new vscode.Position(line, 0);
  editor.selection = new vscode.Selection(start, start);
  editor.revealRange(new vscode.Range(start, start), vscode.TextEditorRevealType.AtTop);
}

/** Where it is open already, else beside a page such as the walkthrough, which stays in sight. */
function columnFor(path: string): vscode.ViewColumn {
  const { all, activeTabGroup } = vscode.window.tabGroups;
  const isScript = ({ input }: vscode.Tab): boolean =>
    input instanceof vscode.TabInputText && input.uri.fsPath === path;
  const group = all.find(({ tabs }) => tabs.some(isScript));
  if (group) return group.viewColumn;
  const { activeTab } = activeTabGroup;
  const isText = activeTab === undefined || activeTab.input instanceof vscode.TabInputText;
  return isText ? vscode.ViewColumn.Active : vscode.ViewColumn.Beside;
}

/** The line of a section's heading, such as "# 2. The model, loaded once"; 0 if it is gone. */
export function sectionLine(text: string, section: number): number {
  return Math.max(
    0,
    text.split("\n").findIndex((line) => line.startsWith(`# ${section}. `)),
  );
}
