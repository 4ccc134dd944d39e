import * as vscode from "vscode";
import type { Environment } from "../environment/environment";
import { commands } from "../ids";
import { type Action, openSettings } from "../problem";
import type { Server } from "../server/server";
import { readSettings } from "../settings";
import { describe } from "../status/description";
import { scriptExists } from "./script";

/** One thing that was looked at: what was found, why, and what changes it. */
interface Finding extends vscode.QuickPickItem {
  readonly action: Action;
}

/**
 * Look at everything that the lesson needs and show it as a list.
 *
 * @returns what changes the line that was chosen; undefined when the list was only read.
 * @throws Problem when there is no Python that could run the server.
 */
export async function checkMachine(
  environment: Environment,
  server: Server,
): Promise<Action | undefined> {
  const findings = await look(environment, server);
  const chosen = await vscode.window.showQuickPick(findings, {
    title: vscode.l10n.t("Your machine"),
    placeHolder: vscode.l10n.t("This is what the server will use. Choose a line to change it."),
    matchOnDescription: true,
  });
  return chosen?.action;
}

async function look(environment: Environment, server: Server): Promise<readonly Finding[]> {
  const interpreter = await environment.interpreter();
  const facts = await environment.facts();
  const device = await environment.device();
  const installed = await environment.isInstalled();
  const { model, scriptPath, port } = readSettings();
  const script = await scriptExists(scriptPath);
  const findings = [
    finding("python", `Python ${facts.version}`, interpreter.path, interpreter.reason, {
      command: commands.chooseInterpreter,
    }),
    finding(
      installed ? "check" : "circle-outline",
      vscode.l10n.t("Packages"),
      installed ? `ttdirect ${facts.packages.ttdirect ?? ""}` : vscode.l10n.t("not installed yet"),
      installed
        ? vscode.l10n.t("Flask and ttdirect can be imported")
        : vscode.l10n.t("The next step installs them"),
      { command: commands.installFlask },
    ),
    finding(
      "chip",
      vscode.l10n.t("Device"),
      device.kind === "cpu" ? "CPU" : "Tenstorrent",
      device.reason,
      openSettings("tenstorrent.ttMetalFolder"),
    ),
    finding(
      "package",
      vscode.l10n.t("Model"),
      model,
      model === "demo"
        ? vscode.l10n.t("The small model that ships with the extension")
        : vscode.l10n.t("Chosen in the settings"),
      { command: commands.chooseModel },
    ),
    finding(
      script ? "check" : "circle-outline",
      vscode.l10n.t("Script"),
      scriptPath,
      script ? vscode.l10n.t("It is there") : vscode.l10n.t("A later step creates it"),
      { command: script ? commands.openScript : commands.createScript },
    ),
    finding(
      "server-process",
      vscode.l10n.t("Server"),
      describe(server.state).text,
      vscode.l10n.t("Wanted port: {0}", port),
      { command: commands.serverMenu },
    ),
  ];
  const ttMetal = environment.ttMetalFolder();
  if (ttMetal !== undefined) {
    findings.splice(
      3,
      0,
      finding(
        "folder",
        "tt-metal",
        ttMetal,
        vscode.l10n.t("Its models drive the card"),
        openSettings("tenstorrent.ttMetalFolder"),
      ),
    );
  }
  return findings;
}

function finding(
  icon: string,
  label: string,
  description: string,
  reason: string,
  action: Action,
): Finding {
  return {
    label: `$(${icon}) ${label}`,
    description,
    detail: `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
    action,
  };
}
