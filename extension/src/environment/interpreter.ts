import { accessSync, constants, statSync } from "node:fs";
import * as path from "node:path";
import { l10n } from "vscode";
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

const chooseAnother = (): Remedy => ({
  title: l10n.t("Choose Interpreter"),
  command: commands.chooseInterpreter,
});

/**
 * Every interpreter that somebody names, the best first, each path once.
 *
 * 1. the setting `tenstorrent.interpreter`
 * 2. the Python Environments extension
 * 3. the Python extension
 * 4. tt-metal's own `python_env/bin/python`, if it is there
 * 5. `python3` on the `PATH`
 *
 * Which of them is taken, `findInterpreter` decides. The extensions are asked only when the caller wants to know that far.
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
      reason: l10n.t("the setting tenstorrent.interpreter says so"),
    };
  }
  const environments = await sources.fromEnvironmentsExtension();
  if (environments) {
    const reason = l10n.t("the Python Environments extension has chosen it");
    yield { path: environments, reason };
  }
  const python = await sources.fromPythonExtension();
  if (python) yield { path: python, reason: l10n.t("the Python extension has chosen it") };
  if (sources.ttMetalFolder) {
    const own = path.join(sources.ttMetalFolder, "python_env", "bin", "python");
    if (sources.isExecutable(own)) {
      const reason = l10n.t("it belongs to tt-metal in {0}", sources.ttMetalFolder);
      yield { path: own, reason };
    }
  }
  const found = onPath("python3", sources);
  if (found) yield { path: found, reason: l10n.t("it is the python3 on the PATH") };
}

/**
 * The interpreter that runs the server: the first that somebody names.
 *
 * On a card's host it is the first that has ttnn, because nothing else can drive the card, and the
 * Python extension always names some Python. What a person has set stays what it is. Where none has
 * ttnn it is the first again, and the CPU answers.
 *
 * @param hasTtnn whether an interpreter can drive the card; undefined where there is no card.
 * @throws Problem when nobody names an interpreter, or the system is Windows.
 */
export async function findInterpreter(
  sources: InterpreterSources,
  hasTtnn?: (path: string) => Promise<boolean>,
  platform: NodeJS.Platform = process.platform,
): Promise<Interpreter> {
  refuseWindows(platform);
  let first: Interpreter | undefined;
  for await (const candidate of candidates(sources)) {
    if (hasTtnn === undefined || sources.setting) return candidate;
    if (await hasTtnn(candidate.path)) return insteadOf(first, candidate);
    first ??= candidate;
  }
  if (first) return first;
  throw new Problem(
    l10n.t("No Python was found on this computer."),
    l10n.t("Install Python 3.10 or newer, or choose an interpreter."),
    [chooseAnother()],
  );
}

/** An interpreter that has ttnn, with a reason that also says why it is not the first one. */
function insteadOf(first: Interpreter | undefined, chosen: Interpreter): Interpreter {
  if (first === undefined) return chosen;
  const { path: file, reason } = chosen;
  return { path: file, reason: l10n.t("{0} and it has ttnn, which {1} lacks", reason, first.path) };
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
    throw unusable(l10n.t("There is no Python at {0}, but {1}.", file, reason));
  }
  if (kind === "folder") {
    throw unusable(
      l10n.t("{0} is a folder, but {1}.", file, reason),
      l10n.t("Choose the program in it, often bin/python."),
    );
  }
  let facts: PythonFacts;
  try {
    facts = await ask(file);
  } catch (error) {
    if (!(error instanceof ProbeError)) throw error;
    throw unusable(
      l10n.t("{0} cannot be used as Python ({1}), but {2}.", file, error.message, reason),
    );
  }
  if (isNewEnough(facts.version)) return facts;
  throw unusable(
    l10n.t("{0} is Python {1}, which is too old, but {2}.", file, facts.version, reason),
  );
}

function unusable(what: string, fix = l10n.t("Choose a Python 3.10 or newer.")): Problem {
  return new Problem(what, fix, [chooseAnother()]);
}

function refuseWindows(platform: NodeJS.Platform): void {
  if (platform !== "win32") return;
  throw new Problem(
    l10n.t("The server does not run on Windows itself, because gunicorn does not."),
    l10n.t(
      "Open your folder in WSL, the Windows Subsystem for Linux, and install this extension there.",
    ),
    [
      {
        title: l10n.t("How to Use WSL"),
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
