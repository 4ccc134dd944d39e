import { mkdir } from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { commands, settings as names } from "../ids";
import { Problem } from "../problem";
import { writeUserSetting } from "../settings";
import { isExecutable } from "./interpreter";
import { isNewEnough } from "./probe";
import type { Probe, PythonFacts } from "./probe";
import { runTask, showTerminal } from "./task";

/** The environment that the extension creates where the user has none. */
export const ownFolder = path.join(os.homedir(), ".tt-direct-api", "venv");
export const ownPython = path.join(ownFolder, "bin", "python");

const createLabel = (): string => vscode.l10n.t("Create a Virtual Environment");
const anywayLabel = (): string => vscode.l10n.t("Install Anyway");

/** What a person has to be asked before anything is installed into a Python that others use. */
export interface Question {
  readonly message: string;
  readonly detail: string;
  readonly answers: readonly string[];
}

/** The question for an interpreter; undefined for a virtual environment, where nobody is harmed. */
export function questionFor(python: string, facts: PythonFacts): Question | undefined {
  if (facts.isVirtual) return undefined;
  const remedy = vscode.l10n.t(
    "A virtual environment keeps the packages apart. It is created in {0} and used from then on.",
    ownFolder,
  );
  if (facts.isExternallyManaged) {
    return {
      message: vscode.l10n.t(
        "The operating system owns this Python, so pip installs nothing into it.",
      ),
      detail: `${vscode.l10n.t("{0} belongs to the system's package manager.", python)} ${remedy}`,
      answers: [createLabel()],
    };
  }
  const risk = vscode.l10n.t(
    "What is installed into {0} may change packages that other programs need.",
    python,
  );
  return {
    message: vscode.l10n.t("This Python is not a virtual environment."),
    detail: `${risk} ${remedy}`,
    answers: [createLabel(), anywayLabel()],
  };
}

/**
 * Ask where to install, if that is a question.
 *
 * @throws vscode.CancellationError when the user wants neither.
 */
export async function wantsVirtualEnvironment(
  python: string,
  facts: PythonFacts,
): Promise<boolean> {
  const question = questionFor(python, facts);
  if (!question) return false;
  const answer = await vscode.window.showInformationMessage(
    question.message,
    { modal: true, detail: question.detail },
    ...question.answers,
  );
  if (answer === undefined) throw new vscode.CancellationError();
  return answer === createLabel();
}

/** The command line that creates the environment. */
export function creationCommand(python: string, hasTtnn: boolean): readonly [string, ...string[]] {
  // `ttnn` is built for this machine; an environment that cannot see it would lose the card.
  const system = hasTtnn ? ["--system-site-packages"] : [];
  return [python, "-m", "venv", "--clear", ...system, ownFolder];
}

/**
 * Create the extension's own virtual environment, or find it sound, and choose it.
 *
 * @throws Problem when it cannot be created.
 * @throws vscode.CancellationError when the user ends the task.
 */
export async function createVirtualEnvironment(
  python: string,
  facts: PythonFacts,
  probe: Probe,
): Promise<void> {
  if (!(await isSound(probe, facts))) {
    await create(python, facts);
    probe.invalidate();
  }
  await writeUserSetting(names.interpreter, ownPython);
}

/** Whether the environment is there already, works, and sees the card if the base does. */
async function isSound(probe: Probe, base: PythonFacts): Promise<boolean> {
  if (!isExecutable(ownPython)) return false;
  try {
    const facts = await probe.facts(ownPython);
    return isNewEnough(facts.version) && facts.hasPip && (facts.hasTtnn || !base.hasTtnn);
  } catch {
    return false;
  }
}

async function create(python: string, facts: PythonFacts): Promise<void> {
  const tryAgain = { title: vscode.l10n.t("Try Again"), command: commands.installFlask };
  if (!facts.hasVenv) {
    const packageName = `python${facts.version.split(".").slice(0, 2).join(".")}-venv`;
    throw new Problem(
      vscode.l10n.t(
        "{0} cannot create virtual environments: it lacks the modules venv or ensurepip.",
        python,
      ),
      vscode.l10n.t("On Debian and Ubuntu they come with: sudo apt install {0}", packageName),
      [
        tryAgain,
        { title: vscode.l10n.t("Choose Interpreter"), command: commands.chooseInterpreter },
      ],
    );
  }
  await mkdir(path.dirname(ownFolder), { recursive: true });
  const command = creationCommand(python, facts.hasTtnn);
  const exitCode = await runTask("venv", createLabel(), command);
  if (exitCode === undefined) throw new vscode.CancellationError();
  if (exitCode === 0 && isExecutable(ownPython)) return;
  throw new Problem(
    vscode.l10n.t(
      "The virtual environment in {0} was not created: Python ended with code {1}.",
      ownFolder,
      exitCode,
    ),
    vscode.l10n.t("The terminal says why."),
    [showTerminal(), tryAgain],
  );
}
