import { setTimeout as sleep } from "node:timers/promises";
import * as vscode from "vscode";
import { shellLine } from "../shell";

/** The same in every language: a terminal that comes back is known by it. */
const name = "API Server";

/** How long a shell may take to say that it understands commands; after that we type. */
const integrationMilliseconds = 3000;

/** Looks at a restored terminal's name, a tenth of a second apart. */
const renamingTries = 100;

/** A command for the server's terminal. */
export interface CommandLine {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly folder: string;
  readonly variables: Readonly<Record<string, string>>;
}

/** One server started by this window, in a terminal of its own. */
export interface Launch {
  readonly terminal: vscode.Terminal;
  /** The shell in the terminal, which is the parent of the server. */
  readonly shell: number | undefined;
  /** The command's exit code; never settles in a shell that does not report it. */
  readonly exitCode: Promise<number | undefined>;
}

/** The terminal of the last launch in this life of the window. */
let latest: vscode.Terminal | undefined;

/**
 * Close terminals of earlier servers that come back late.
 *
 * After a reload the editor restores terminals when it gets to it: one may appear behind the launch
 * that meant to replace it, and would cover the new one.
 */
export function closeReturned(): vscode.Disposable {
  return vscode.window.onDidOpenTerminal(async (terminal) => {
    // It opens under another name, and gets its own a moment later: perhaps behind the launch.
    for (let tries = 0; tries < renamingTries; tries++) {
      if (terminal === latest || terminal.exitStatus !== undefined) return;
      if (isOurs(terminal)) {
        // Before a launch it may be the one in which the server runs.
        if (latest === undefined || latest.exitStatus !== undefined) return;
        terminal.dispose();
        latest.show(true);
        return;
      }
      await sleep(100);
    }
  });
}

/**
 * Open a terminal in the place of those of earlier servers, and run the server in it.
 *
 * The command is handed to the shell as if typed, so that the learner sees what runs and can run
 * it again. Shell integration, where the shell has it, tells the exit code.
 *
 * @throws vscode.CancellationError when the terminal is closed before its shell has begun.
 */
export async function launch(line: CommandLine): Promise<Launch> {
  const terminal = vscode.window.createTerminal({
    name,
    cwd: line.folder,
    env: line.variables,
    iconPath: new vscode.ThemeIcon("server-process"),
    // The editor keeps a terminal's environment on disk to restore it; a token must not get there.
    isTransient: "HF_TOKEN" in line.variables,
  });
  latest = terminal;
  for (const other of vscode.window.terminals) {
    if (other !== terminal && isOurs(other)) other.dispose();
  }
  terminal.show(true);
  const gone = closed(terminal);
  const shell = await Promise.race([terminal.processId, gone]);
  // Where the workspace is not trusted the editor asks first, and closes it again after a no.
  if (terminal.exitStatus !== undefined) throw new vscode.CancellationError();
  const integration = await shellIntegration(terminal);
  const command = shellLine([line.program, ...line.arguments]);
  if (!integration) {
    terminal.sendText(command);
    return { terminal, shell, exitCode: gone };
  }
  const execution = integration.executeCommand(command);
  return { terminal, shell, exitCode: Promise.race([ended(execution), gone]) };
}

/**
 * The terminal in which a shell runs.
 *
 * @param patience milliseconds to wait for it; after a reload the editor brings terminals back late.
 */
export async function terminalOf(
  shell: number,
  patience = 0,
): Promise<vscode.Terminal | undefined> {
  const deadline = Date.now() + patience;
  for (;;) {
    for (const terminal of vscode.window.terminals) {
      if ((await terminal.processId) === shell) return terminal;
    }
    if (Date.now() >= deadline) return undefined;
    await sleep(100);
  }
}

/** Whether we opened this terminal, in this life of the window or an earlier one. */
function isOurs(terminal: vscode.Terminal): boolean {
  return terminal.name === name;
}

function shellIntegration(
  terminal: vscode.Terminal,
): Promise<vscode.TerminalShellIntegration | undefined> {
  if (terminal.shellIntegration) return Promise.resolve(terminal.shellIntegration);
  return new Promise((resolve) => {
    const finish = (integration: vscode.TerminalShellIntegration | undefined): void => {
      clearTimeout(timer);
      listener.dispose();
      resolve(integration);
    };
    const timer = setTimeout(() => finish(undefined), integrationMilliseconds);
    const listener = vscode.window.onDidChangeTerminalShellIntegration((change) => {
      if (change.terminal === terminal) finish(change.shellIntegration);
    });
  });
}

function ended(execution: vscode.TerminalShellExecution): Promise<number | undefined> {
  return new Promise((resolve) => {
    const listener = vscode.window.onDidEndTerminalShellExecution((end) => {
      if (end.execution !== execution) return;
      listener.dispose();
      resolve(end.exitCode);
    });
  });
}

function closed(terminal: vscode.Terminal): Promise<undefined> {
  return new Promise((resolve) => {
    const listener = vscode.window.onDidCloseTerminal((gone) => {
      if (gone !== terminal) return;
      listener.dispose();
      resolve(undefined);
    });
  });
}
