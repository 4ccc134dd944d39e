import * as vscode from "vscode";
import { settings as names } from "../ids";
import { Problem } from "../problem";
import { writeUserSetting } from "../settings";
import { isExecutable, requireUsable } from "./interpreter";
import type { Interpreter } from "./interpreter";
import type { Probe, PythonFacts } from "./probe";
import { createVirtualEnvironment, ownFolder, ownPython } from "./virtualEnvironment";

interface Item extends vscode.QuickPickItem {
  readonly choice: Interpreter | "browse" | "create";
}

/** An interpreter on offer, with its facts, or with the problem that rules it out. */
interface Checked {
  readonly interpreter: Interpreter;
  readonly facts: PythonFacts | undefined;
  readonly detail: string;
}

/**
 * Let the user choose an interpreter, and save the choice for this user.
 *
 * @throws Problem when the choice cannot be used, or the workspace's own setting wins over it.
 * @throws vscode.CancellationError when the user ends the task that creates an environment.
 */
export async function chooseInterpreter(
  found: AsyncIterable<Interpreter>,
  probe: Probe,
): Promise<void> {
  const checked = checkAll(found, probe);
  const items = checked.then((all) => itemsFor(all));
  const picked = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t("Choose the Python Interpreter"),
    placeHolder: vscode.l10n.t("Which Python shall install and run the server?"),
    matchOnDescription: true,
  });
  if (!picked) return;
  if (picked.choice === "create") {
    const base = (await checked).find(({ facts }) => facts !== undefined);
    if (!base?.facts) throw noBase();
    await createVirtualEnvironment(base.interpreter.path, base.facts, probe);
    return;
  }
  const chosen = picked.choice === "browse" ? await browse() : picked.choice;
  if (!chosen) return;
  await requireUsable(chosen, (path) => probe.facts(path));
  await writeUserSetting(names.interpreter, chosen.path);
}

async function checkAll(
  found: AsyncIterable<Interpreter>,
  probe: Probe,
): Promise<readonly Checked[]> {
  const all: Interpreter[] = [];
  for await (const interpreter of found) all.push(interpreter);
  if (isExecutable(ownPython) && !all.some(({ path }) => path === ownPython)) {
    all.push({ path: ownPython, reason: vscode.l10n.t("this extension has created it") });
  }
  return Promise.all(all.map((interpreter) => check(interpreter, probe)));
}

async function check(interpreter: Interpreter, probe: Probe): Promise<Checked> {
  try {
    const facts = await requireUsable(interpreter, (path) => probe.facts(path));
    return { interpreter, facts, detail: describe(facts) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { interpreter, facts: undefined, detail: error.what };
  }
}

/** One line about an interpreter, as "Python 3.11.2, a virtual environment, with ttnn". */
export function describe(facts: PythonFacts): string {
  const owner = facts.isVirtual
    ? vscode.l10n.t("a virtual environment")
    : facts.isExternallyManaged
      ? vscode.l10n.t("owned by the operating system")
      : vscode.l10n.t("not a virtual environment");
  const ttnn = facts.hasTtnn ? [vscode.l10n.t("with ttnn")] : [];
  return [`Python ${facts.version}`, owner, ...ttnn].join(", ");
}

function itemsFor(all: readonly Checked[]): Item[] {
  return [
    ...all.map(({ interpreter, facts, detail }): Item => ({
      choice: interpreter,
      label: `${facts ? "$(check)" : "$(warning)"} ${interpreter.path}`,
      description: interpreter.reason,
      detail,
    })),
    { choice: "browse", label: `$(folder-opened) ${vscode.l10n.t("Browse…")}` },
    {
      choice: "create",
      label: `$(add) ${vscode.l10n.t("Create a virtual environment")}`,
      description: ownFolder,
    },
  ];
}

async function browse(): Promise<Interpreter | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    title: vscode.l10n.t("The Python Interpreter"),
    openLabel: vscode.l10n.t("Use This Python"),
    canSelectFiles: true,
    canSelectFolders: false,
  });
  const path = chosen?.[0]?.fsPath;
  return path === undefined ? undefined : { path, reason: vscode.l10n.t("you have chosen it") };
}

function noBase(): Problem {
  return new Problem(
    vscode.l10n.t("There is no Python 3.10 or newer here that could create a virtual environment."),
    vscode.l10n.t("Install one first, for example with: sudo apt install python3 python3-venv"),
  );
}
