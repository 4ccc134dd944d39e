import * as vscode from "vscode";
import type { PythonFacts } from "../environment/probe";
import { runTask, showTerminal } from "../environment/task";
import { commands } from "../ids";
import { Problem } from "../problem";

/** The Python package that speaks the protocol, from the first version that we know. */
const oldest = { major: 2, minor: 3 } as const;
const requirement = `mcp>=${oldest.major}.${oldest.minor}`;

/** Whether an interpreter can run `ttdirect mcp`. */
export function hasMcp({ packages }: Pick<PythonFacts, "packages">): boolean {
  const [major = 0, minor = 0] = (packages.mcp ?? "").split(".").map(Number);
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor);
}

/** @throws Problem when not even ttdirect is there. */
export function requireBackend(python: string, { packages }: Pick<PythonFacts, "packages">): void {
  if (packages.ttdirect !== undefined) return;
  throw new Problem(
    vscode.l10n.t("Agents need ttdirect, which is not installed in {0}.", python),
    vscode.l10n.t("Install it, then start the MCP server again."),
    [{ title: vscode.l10n.t("Install"), command: commands.installFlask }],
  );
}

/** Ask whether the package may be installed. */
export async function mayInstall(python: string): Promise<boolean> {
  const install = vscode.l10n.t("Install");
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t("Agents reach your API server through the Python package mcp. Install it?"),
    {
      modal: true,
      detail: vscode.l10n.t(
        "pip installs {0} into {1}. It brings pydantic 2.12 or newer and some 20 small packages.",
        requirement,
        python,
      ),
    },
    install,
  );
  return chosen === install;
}

/**
 * Install the package in a terminal.
 *
 * @throws Problem when pip fails.
 * @throws vscode.CancellationError when the user ends it.
 */
export async function installMcp(python: string, pipArguments: readonly string[]): Promise<void> {
  const pip = [python, "-m", "pip", "install", "--disable-pip-version-check"] as const;
  const title = vscode.l10n.t("Install mcp");
  const exitCode = await runTask("mcp", title, [...pip, requirement, ...pipArguments]);
  if (exitCode === undefined) throw new vscode.CancellationError();
  if (exitCode === 0) return;
  throw new Problem(
    vscode.l10n.t("The package mcp was not installed: pip ended with code {0}.", exitCode),
    vscode.l10n.t("The terminal tells more."),
    [showTerminal()],
  );
}
