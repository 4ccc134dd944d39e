import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";
import { commands } from "../ids";
import { openSettings, Problem, type Remedy } from "../problem";
import type { DeviceKind } from "./device";
import { diagnose, installCommand, listCommand, mustKeepVersions, wheelAmong } from "./pip";
import type { PipFailure, PipPlan, Wheel } from "./pip";
import { checkImports, lastLine } from "./probe";
import type { PythonFacts } from "./probe";
import { runProgram } from "./program";
import { runTask, showTerminal } from "./task";

/** Listing hundreds of packages on a slow disk takes long. */
const listSeconds = 60;

const tryAgain = (): Remedy => ({
  title: vscode.l10n.t("Try Again"),
  command: commands.installFlask,
});
const chooseAnother = (): Remedy => ({
  title: vscode.l10n.t("Choose Interpreter"),
  command: commands.chooseInterpreter,
});

/**
 * The backend's wheel in the extension's folder.
 *
 * @throws Problem when the extension was packed without it.
 */
export async function findWheel(extensionFolder: string): Promise<Wheel> {
  const folder = path.join(extensionFolder, "dist", "python");
  const found = wheelAmong(await readdir(folder).catch(() => []));
  if (found) return { file: path.join(folder, found.name), version: found.version };
  throw new Problem(
    vscode.l10n.t("The extension is not complete: {0} should hold one ttdirect-*.whl.", folder),
    vscode.l10n.t("Install the extension again."),
  );
}

/**
 * Install the server's packages in a terminal, and import them to see that they work.
 *
 * @throws Problem when pip fails, or what it installed cannot be imported.
 * @throws vscode.CancellationError when the user ends the task.
 */
export async function installPackages(plan: PipPlan, facts: PythonFacts): Promise<void> {
  if (!facts.hasPip && plan.uv === undefined) throw withoutPip(plan.python, facts);
  await mkdir(path.dirname(plan.logFile), { recursive: true });
  await rm(plan.logFile, { force: true }); // pip would append to it
  if (mustKeepVersions(plan)) await writePins(plan);
  const title = vscode.l10n.t("Install Flask and ttdirect");
  const exitCode = await runTask("install", title, installCommand(plan));
  if (exitCode === undefined) throw new vscode.CancellationError();
  if (exitCode !== 0) {
    const failure = diagnose(await readFile(plan.logFile, "utf8").catch(() => ""));
    if (failure.kind === "cancelled") throw new vscode.CancellationError();
    throw problemWithPip(failure, plan.python, exitCode);
  }
  const complaint = await checkImports(plan.python, plan.device);
  if (complaint !== undefined) throw notImportable(complaint, plan.device);
}

/**
 * Write down the versions that are there.
 *
 * @throws Problem when they cannot be told; installing without them could move one.
 */
export async function writePins(plan: PipPlan): Promise<void> {
  const [program, ...words] = listCommand(plan);
  const answer = await runProgram({ program, words, limit: { seconds: listSeconds } });
  if (answer.code === 0) return writeFile(plan.pinsFile, `${answer.stdout}\n`);
  const why = answer.isLate
    ? vscode.l10n.t("That took more than {0} s.", listSeconds)
    : lastLine(answer.stderr);
  const what = vscode.l10n.t(
    "Nothing was installed, because the packages of {0} that must stay as they are cannot be listed.",
    plan.python,
  );
  throw new Problem(
    `${what} ${why}`.trim(),
    vscode.l10n.t("See whether this environment of tt-metal is complete, or choose another."),
    [tryAgain(), chooseAnother()],
  );
}

function withoutPip(python: string, facts: PythonFacts): Problem {
  return new Problem(
    vscode.l10n.t(
      "{0} has no pip, which installs packages, and uv is not on the PATH either.",
      python,
    ),
    facts.isVirtual
      ? vscode.l10n.t("Install uv, or add pip with: {0} -m ensurepip", python)
      : vscode.l10n.t("On Debian and Ubuntu it comes with: sudo apt install python3-pip"),
    [tryAgain(), chooseAnother()],
  );
}

/** A failure of pip, told to a person. */
export function problemWithPip(failure: PipFailure, python: string, exitCode: number): Problem {
  const told = (what: string, fix: string, ...first: readonly Remedy[]): Problem =>
    new Problem(what, fix, [...first, showTerminal(), tryAgain()]);
  switch (failure.kind) {
    case "diskFull":
      return told(
        vscode.l10n.t("The packages were not installed: the disk is full."),
        vscode.l10n.t("PyTorch takes about a gigabyte. Free some space and try again."),
      );
    case "noNetwork":
      return told(
        vscode.l10n.t("The packages were not installed: the package index cannot be reached."),
        vscode.l10n.t(
          "Check the network and the proxy, or name your own index in tenstorrent.pipArguments.",
        ),
        openSettings("tenstorrent.pipArguments"),
      );
    case "noPackage":
      return told(
        vscode.l10n.t(
          "The packages were not installed: the index has no {0} for this Python.",
          failure.requirement,
        ),
        vscode.l10n.t(
          "Choose a Python between 3.10 and 3.13, or another index in tenstorrent.pipArguments.",
        ),
        chooseAnother(),
      );
    case "noPermission":
      return told(
        vscode.l10n.t(
          "The packages were not installed: you may not write where {0} keeps them.",
          python,
        ),
        vscode.l10n.t("Choose an interpreter of your own, or create a virtual environment."),
        chooseAnother(),
      );
    case "externallyManaged":
      return told(
        vscode.l10n.t("The packages were not installed: the operating system owns {0}.", python),
        vscode.l10n.t("Create a virtual environment."),
        chooseAnother(),
      );
    case "cancelled":
    case "other": {
      const error = failure.kind === "other" ? failure.error : undefined;
      return told(
        error === undefined
          ? vscode.l10n.t(
              "The packages were not installed: the installer ended with code {0}.",
              exitCode,
            )
          : vscode.l10n.t("The packages were not installed. pip says: {0}", error),
        vscode.l10n.t("The terminal tells more."),
      );
    }
  }
}

function notImportable(complaint: string, device: DeviceKind): Problem {
  return new Problem(
    vscode.l10n.t("pip has installed the packages, but importing them fails: {0}", complaint),
    device === "cpu"
      ? vscode.l10n.t("Choose another interpreter, or create a virtual environment.")
      : vscode.l10n.t("Choose the interpreter of tt-metal's own environment, which holds PyTorch."),
    [chooseAnother(), tryAgain()],
  );
}
