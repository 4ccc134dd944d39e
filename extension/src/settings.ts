import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { settings as names } from "./ids";
import { Problem, type Remedy } from "./problem";

const section = "tenstorrent";
const defaultPort = 8080;

/** The settings, checked and with their variables replaced. Paths are absolute. */
export interface Settings {
  /** Empty: not chosen. A name without a slash is looked up on the `PATH`. */
  readonly interpreter: string;
  readonly scriptPath: string;
  readonly port: number;
  /** What the server gets as `HF_MODEL`: `demo`, an absolute folder, or a name on the hub. */
  readonly model: string;
  /** Empty: not chosen. */
  readonly ttMetalFolder: string;
  readonly pipArguments: readonly string[];
  /** Empty: only the usual package index. */
  readonly torchIndex: string;
}

/** What the variables in a setting stand for. */
export interface Places {
  readonly home: string;
  readonly workspaceFolder: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Replace `${userHome}`, `${workspaceFolder}`, `${env:NAME}`, and `~` at the beginning.
 *
 * A variable of the environment that is not set is empty, as in the editor's own settings. What
 * cannot be replaced stays as it is, so that an error message shows it.
 */
export function substitute(text: string, places: Places): string {
  const replaced = text.replace(
    /\$\{(?:(userHome)|(workspaceFolder)|env:([^}]+))\}/g,
    (whole, home?: string, folder?: string, name?: string) => {
      if (home !== undefined) return places.home;
      if (folder !== undefined) return places.workspaceFolder ?? whole;
      return places.environment[name ?? ""] ?? "";
    },
  );
  return replaced.replace(/^~(?=$|\/)/, () => places.home);
}

/** The absolute path that a setting means; a relative one starts in the workspace, else at home. */
export function resolvePath(text: string, places: Places): string {
  return path.resolve(places.workspaceFolder ?? places.home, substitute(text, places));
}

/** The interpreter that a setting means: a path, or the bare name of a program. */
export function resolveProgram(text: string, places: Places): string {
  const program = substitute(text, places);
  return program === "" || !program.includes("/") ? program : resolvePath(program, places);
}

/** The model that a setting means. `owner/name` belongs to the hub, so a folder needs `./`. */
export function resolveModel(text: string, places: Places): string {
  const model = substitute(text, places);
  return /^[./]/.test(model) ? resolvePath(model, places) : model;
}

/** There is one server, so of several folders in a workspace only the first can choose for it. */
function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration(section, vscode.workspace.workspaceFolders?.[0]);
}

/** The settings as they are now. Of a workspace that is not trusted, the editor hides them. */
export function readSettings(): Settings {
  const values = configuration();
  const places = currentPlaces();
  const text = (name: string): string => {
    const value: unknown = values.get(name);
    return typeof value === "string" ? value.trim() : "";
  };
  const ttMetalFolder = text(names.ttMetalFolder);
  return {
    interpreter: resolveProgram(text(names.interpreter), places),
    scriptPath: resolvePath(text(names.scriptPath) || "~/tt-api-server-direct.py", places),
    port: validPort(values.get(names.port)),
    model: resolveModel(text(names.model) || "demo", places),
    ttMetalFolder: ttMetalFolder === "" ? "" : resolvePath(ttMetalFolder, places),
    pipArguments: texts(values.get(names.pipArguments)).map((t) => substitute(t, places)),
    torchIndex: substitute(text(names.torchIndex), places),
  };
}

let writing = 0;

/** Whether a change of a setting comes from a command of ours, which knows what follows from it. */
export function isWritingSetting(): boolean {
  return writing > 0;
}

/**
 * Write a setting for this user.
 *
 * @throws Problem when the workspace's own value wins over it.
 */
export async function writeUserSetting(name: string, value: string): Promise<void> {
  const target = vscode.ConfigurationTarget.Global;
  writing += 1;
  try {
    await configuration().update(name, value, target);
  } finally {
    writing -= 1;
  }
  if (configuration().get(name) === value) return;
  throw new Problem(
    vscode.l10n.t(
      "Your choice is saved, but this workspace sets {0} itself, and its value wins.",
      `${section}.${name}`,
    ),
    vscode.l10n.t("Remove it from the workspace's settings."),
    [openWorkspaceSetting(name)],
  );
}

/** Say so before any work is done that the workspace's own value would win over a choice. */
export function requireFree(name: string, value: string): void {
  const found = configuration().inspect<unknown>(name);
  const own = found?.workspaceFolderValue ?? found?.workspaceValue;
  if (own === undefined || own === value) return;
  throw new Problem(
    vscode.l10n.t(
      "In this workspace your choice would have no effect: it sets {0} itself.",
      `${section}.${name}`,
    ),
    vscode.l10n.t("Remove it from the workspace's settings first."),
    [openWorkspaceSetting(name)],
  );
}

function openWorkspaceSetting(name: string): Remedy {
  return {
    title: vscode.l10n.t("Open Workspace Settings"),
    command: "workbench.action.openWorkspaceSettings",
    arguments: [{ query: `${section}.${name}` }],
  };
}

/** What the variables in a setting stand for in this window. */
export function currentPlaces(): Places {
  return {
    home: os.homedir(),
    workspaceFolder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath,
    environment: process.env,
  };
}

/** The editor marks a wrong value in the settings, but hands it over all the same. */
export function validPort(value: unknown): number {
  const isValid = Number.isInteger(value) && Number(value) >= 1024 && Number(value) <= 65535;
  return isValid ? Number(value) : defaultPort;
}

/** What is wrong with the port that is set, in a sentence; undefined when nothing is. */
export function portProblem(): string | undefined {
  const value: unknown = configuration().get(names.port);
  if (value === undefined || validPort(value) === value) return undefined;
  return vscode.l10n.t(
    "{0} is {1}, so {2} is used: a port is a whole number from 1024 to 65535.",
    `${section}.${names.port}`,
    JSON.stringify(value),
    defaultPort,
  );
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
