import { accessSync, constants, statSync } from "node:fs";
import * as path from "node:path";
import { commands } from "../ids";
import { Problem } from "../problem";
import type { Remedy } from "../problem";
import { isNewEnough, ProbeError } from "./probe";
import type { PythonFacts } from "./probe";

/** A Python, and why it is the one: a clause for people, without a full stop. */
export interface Interpreter {
  readonly path: string;
  readonly reason: string;
}

/** Who may name an interpreter, and where programs are looked for. */
export interface InterpreterSources {
  /** The setting `tenstorrent.interpreter`: absolute, a bare name, or empty. */
  readonly setting: string;
  readonly fromEnvironmentsExtension: () => Promise<string | undefined>;
  readonly fromPythonExtension: () => Promise<string | undefined>;
  readonly ttMetalFolder: string | undefined;
  /** The value of `PATH`. */
  readonly searchPath: string;
  readonly isExecutable: (file: string) => boolean;
}

const chooseAnother: Remedy = { title: "Choose Interpreter", command: commands.chooseInterpreter };

/**
 * Every interpreter that somebody names, the best first, each path once.
 *
 * 1. the setting `tenstorrent.interpreter`
 * 2. the Python Environments extension
 * 3. the Python extension
 * 4. tt-metal's own `python_env/bin/python`, if it is there
 * 5. `python3` on the `PATH`
 *
 * The extensions are asked only when the caller wants to know that far.
 */
export async function* candidates(sources: InterpreterSources): AsyncGenerator<Interpreter> {
  const seen = new Set<string>();
  for await (const candidate of inOrder(sources)) {
    if (seen.has(candidate.path)) continue;
    seen.add(candidate.path);
    yield candidate;
  }
}

async function* inOrder(sources: InterpreterSources): AsyncGenerator<Interpreter> {
  const { setting } = sources;
  if (setting) {
    yield {
      path: setting.includes("/") ? setting : (onPath(setting, sources) ?? setting),
      reason: "the setting tenstorrent.interpreter says so",
    };
  }
  const environments = await sources.fromEnvironmentsExtension();
  if (environments) {
    yield { path: environments, reason: "the Python Environments extension has chosen it" };
  }
  const python = await sources.fromPythonExtension();
  if (python) yield { path: python, reason: "the Python extension has chosen it" };
  if (sources.ttMetalFolder) {
    const own = path.join(sources.ttMetalFolder, "python_env", "bin", "python");
    if (sources.isExecutable(own)) {
      yield { path: own, reason: `it belongs to tt-metal in ${sources.ttMetalFolder}` };
    }
  }
  const found = onPath("python3", sources);
  if (found) yield { path: found, reason: "it is the python3 on the PATH" };
}

/** @throws Problem when nobody names an interpreter, or the system is Windows. */
export async function findInterpreter(
  sources: InterpreterSources,
  platform: NodeJS.Platform = process.platform,
): Promise<Interpreter> {
  refuseWindows(platform);
  for await (const candidate of candidates(sources)) return candidate;
  throw new Problem(
    "No Python was found on this computer.",
    "Install Python 3.10 or newer, or choose an interpreter.",
    [chooseAnother],
  );
}

/**
 * The facts about an interpreter, if the server can run on it.
 *
 * @throws Problem when the path leads nowhere, or to something that is no Python 3.10 or newer.
 */
export async function requireUsable(
  interpreter: Interpreter,
  ask: (path: string) => Promise<PythonFacts>,
): Promise<PythonFacts> {
  const { path: file, reason } = interpreter;
  const kind = kindOf(file);
  if (kind === "nothing") {
    throw unusable(`There is no Python at ${file}, but ${reason}.`);
  }
  if (kind === "folder") {
    throw unusable(
      `${file} is a folder, but ${reason}.`,
      "Choose the program in it, often bin/python.",
    );
  }
  let facts: PythonFacts;
  try {
    facts = await ask(file);
  } catch (error) {
    if (!(error instanceof ProbeError)) throw error;
    throw unusable(`${file} cannot be used as Python (${error.message}), but ${reason}.`);
  }
  if (isNewEnough(facts.version)) return facts;
  throw unusable(`${file} is Python ${facts.version}, which is too old, but ${reason}.`);
}

function unusable(what: string, fix = "Choose a Python 3.10 or newer."): Problem {
  return new Problem(what, fix, [chooseAnother]);
}

function refuseWindows(platform: NodeJS.Platform): void {
  if (platform !== "win32") return;
  throw new Problem(
    "The server does not run on Windows itself, because gunicorn does not.",
    "Open your folder in WSL, the Windows Subsystem for Linux, and install this extension there.",
    [
      {
        title: "How to Use WSL",
        command: "vscode.open",
        arguments: ["https://code.visualstudio.com/docs/remote/wsl"],
      },
    ],
  );
}

/** The first program of that name in the folders of a `PATH`. */
export function onPath(
  name: string,
  sources: Pick<InterpreterSources, "searchPath" | "isExecutable">,
): string | undefined {
  return sources.searchPath
    .split(path.delimiter)
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, name))
    .find(sources.isExecutable);
}

/** Whether a path is a file that may be run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function kindOf(file: string): "nothing" | "folder" | "file" {
  try {
    return statSync(file).isDirectory() ? "folder" : "file";
  } catch {
    return "nothing";
  }
}
