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

const tryAgain: Remedy = { title: "Try Again", command: commands.installFlask };
const chooseAnother: Remedy = { title: "Choose Interpreter", command: commands.chooseInterpreter };

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
    `The extension is not complete: ${folder} should hold one ttdirect-*.whl.`,
    "Install the extension again.",
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
  const exitCode = await runTask("install", "Install Flask and ttdirect", installCommand(plan));
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
  const why = answer.isLate ? `That took more than ${listSeconds} s.` : lastLine(answer.stderr);
  throw new Problem(
    `Nothing was installed, because the packages of ${plan.python} that must stay as they are ` +
      `cannot be listed. ${why}`.trim(),
    "See whether this environment of tt-metal is complete, or choose another.",
    [tryAgain, chooseAnother],
  );
}

function withoutPip(python: string, facts: PythonFacts): Problem {
  return new Problem(
    `${python} has no pip, which installs packages, and uv is not on the PATH either.`,
    facts.isVirtual
      ? `Install uv, or add pip with: ${python} -m ensurepip`
      : "On Debian and Ubuntu it comes with: sudo apt install python3-pip",
    [tryAgain, chooseAnother],
  );
}

/** A failure of pip, told to a person. */
export function problemWithPip(failure: PipFailure, python: string, exitCode: number): Problem {
  const told = (what: string, fix: string, ...first: readonly Remedy[]): Problem =>
    new Problem(what, fix, [...first, showTerminal, tryAgain]);
  switch (failure.kind) {
    case "diskFull":
      return told(
        "The packages were not installed: the disk is full.",
        "PyTorch takes about a gigabyte. Free some space and try again.",
      );
    case "noNetwork":
      return told(
        "The packages were not installed: the package index cannot be reached.",
        "Check the network and the proxy, or name your own index in tenstorrent.pipArguments.",
        openSettings("tenstorrent.pipArguments"),
      );
    case "noPackage":
      return told(
        `The packages were not installed: the index has no ${failure.requirement} for this Python.`,
        "Choose a Python between 3.10 and 3.13, or another index in tenstorrent.pipArguments.",
        chooseAnother,
      );
    case "noPermission":
      return told(
        `The packages were not installed: you may not write where ${python} keeps them.`,
        "Choose an interpreter of your own, or create a virtual environment.",
        chooseAnother,
      );
    case "externallyManaged":
      return told(
        `The packages were not installed: the operating system owns ${python}.`,
        "Create a virtual environment.",
        chooseAnother,
      );
    case "cancelled":
    case "other": {
      const error = failure.kind === "other" ? failure.error : undefined;
      return told(
        error === undefined
          ? `The packages were not installed: the installer ended with code ${exitCode}.`
          : `The packages were not installed. pip says: ${error}`,
        "The terminal tells more.",
      );
    }
  }
}

function notImportable(complaint: string, device: DeviceKind): Problem {
  return new Problem(
    `pip has installed the packages, but importing them fails: ${complaint}`,
    device === "cpu"
      ? "Choose another interpreter, or create a virtual environment."
      : "Choose the interpreter of tt-metal's own environment, which holds PyTorch.",
    [chooseAnother, tryAgain],
  );
}
