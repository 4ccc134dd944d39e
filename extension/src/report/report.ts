import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { runBackend } from "../environment/backend";
import type { Environment } from "../environment/environment";
import { lastLine } from "../environment/probe";
import { logName, settings as names } from "../ids";
import type { ServerNotes } from "../server/notes";
import type { Server } from "../server/server";
import { logTail } from "./logTail";
import { isSecretName, mask } from "./mask";
import { type ReportFacts, reportText } from "./text";

/** tt-smi is asked, and a board that hangs answers late. Milliseconds. */
const patience = 60_000;

/** Whom a report asks. */
export interface ReportSources {
  readonly context: vscode.ExtensionContext;
  readonly environment: Environment;
  readonly server: Server;
  readonly notes: ServerNotes;
}

/** Gather what those who help need to know, and open it for the user to read and send. */
export async function openReport(sources: ReportSources): Promise<void> {
  const text = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t("Gathering what describes this computer"),
    },
    () => gather(sources),
  );
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: text });
  await vscode.window.showTextDocument(document, { preview: false });
}

async function gather({ context, environment, server, notes }: ReportSources): Promise<string> {
  const [versions, failures, doctor, token] = await Promise.all([
    readVersions(context, environment),
    readFailures(notes),
    runDoctor(environment),
    environment.token(),
  ]);
  // What happened a moment ago is written by now.
  const log = await logTail(path.join(context.logUri.fsPath, `${logName}.log`));
  const state = server.state;
  const text = reportText({ versions, state, failures, settings: readChanged(), doctor, log });
  const others = token === undefined ? [] : [token];
  return mask(text, { home: os.homedir(), environment: process.env, others });
}

async function readVersions(
  context: vscode.ExtensionContext,
  environment: Environment,
): Promise<ReportFacts["versions"]> {
  const { version } = context.extension.packageJSON as { readonly version: string };
  const folders = vscode.workspace.workspaceFolders?.length ?? 0;
  const inBrowser = vscode.env.uiKind === vscode.UIKind.Web;
  // In a browser the name is the address of the editor's server, which concerns nobody.
  const remote = inBrowser ? "the editor's own server" : (vscode.env.remoteName ?? "none");
  return [
    [
      "editor",
      `${vscode.env.appName} ${vscode.version} ${inBrowser ? "in a browser" : "on a desktop"}`,
    ],
    ["remote", remote],
    ["extension", version],
    ["system", `${os.type()} ${os.release()} ${os.arch()}`],
    ["folders", `${folders}, ${vscode.workspace.isTrusted ? "" : "not "}trusted`],
    ...(await readPython(environment)),
  ];
}

async function readPython(environment: Environment): Promise<ReportFacts["versions"]> {
  try {
    const { path: file, reason } = await environment.interpreter();
    const { version, packages } = await environment.facts();
    const device = await environment.device();
    const all = Object.entries(packages).map(([name, installed]) => `${name} ${installed}`);
    return [
      ["Python", `${version}, ${file} (${reason})`],
      ["packages", all.join(", ") || "none of ours"],
      ["device", `${device.kind} (${device.reason})`],
    ];
  } catch (error) {
    return [["Python", String(error)]];
  }
}

async function readFailures(notes: ServerNotes): Promise<readonly string[]> {
  const failed = (await notes.all()).flatMap(({ failure }) => failure ?? []);
  return failed.map(({ code, what, fix }) => `a server gave up: ${code}, ${what}; fix: ${fix}`);
}

async function runDoctor(environment: Environment): Promise<string> {
  try {
    const { path: python } = await environment.interpreter();
    const variables = await environment.serverVariables().catch(() => ({}));
    const words = ["doctor", "--report"];
    const signal = AbortSignal.timeout(patience);
    const { stdout, stderr } = await runBackend({ python, words, variables, signal });
    // Its exit code is 1 when a check fails; the report is there all the same.
    return stdout || `ttdirect doctor has printed nothing: ${lastLine(stderr)}`;
  } catch (error) {
    return String(error);
  }
}

/** The settings that somebody has set, with their values. */
function readChanged(): Readonly<Record<string, unknown>> {
  const configuration = vscode.workspace.getConfiguration("tenstorrent");
  const changed = Object.values(names).filter((name) => {
    const { globalValue, workspaceValue, workspaceFolderValue } = configuration.inspect(name) ?? {};
    return [globalValue, workspaceValue, workspaceFolderValue].some((it) => it !== undefined);
  });
  return Object.fromEntries(
    changed.map((name) => [
      `tenstorrent.${name}`,
      isSecretName(name) ? "(set, not shown)" : configuration.get(name),
    ]),
  );
}
