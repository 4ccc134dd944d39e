import * as vscode from "vscode";
import type { PythonFacts } from "../environment/probe";
import { mcpProvider } from "../ids";
import { reportProblem } from "../problem";
import { addressOf } from "../server/state";
import type { WatchedServer } from "../server/waiting";
import { readSettings } from "../settings";
import { hasMcp, installMcp, mayInstall, requireBackend } from "./mcpPackage";

const label = "TT Direct API";

/** The part of the environment that is needed here. */
export interface PythonChoice {
  readonly onDidChange: vscode.Event<void>;
  interpreter(): Promise<{ readonly path: string }>;
  facts(): Promise<PythonFacts>;
  refresh(): void;
}

/** What the provider works with. */
export interface Surroundings {
  readonly server: WatchedServer;
  readonly environment: PythonChoice;
  readonly log: vscode.LogOutputChannel;
  readonly extension: Pick<vscode.Extension<unknown>, "packageJSON">;
}

/** Tell the editor how to start the MCP server that stands in front of ours. */
export function registerMcp(surroundings: Surroundings): vscode.Disposable {
  const provider = new McpProvider(surroundings);
  return vscode.Disposable.from(
    provider,
    vscode.lm.registerMcpServerDefinitionProvider(mcpProvider, provider),
  );
}

/** Defines `ttdirect mcp` for the chosen interpreter and the address of the running server. */
export class McpProvider
  implements vscode.McpServerDefinitionProvider<vscode.McpStdioServerDefinition>, vscode.Disposable
{
  readonly #surroundings: Surroundings;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #listeners: readonly vscode.Disposable[];
  #told: string | undefined;
  /** The interpreter for which the user would not have the package: nobody is asked twice. */
  #refused: string | undefined;

  readonly onDidChangeMcpServerDefinitions = this.#changed.event;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const look = (): void => {
      if (this.#told !== undefined && this.#told !== this.#arguments().join(" ")) {
        this.#changed.fire();
      }
    };
    const { server, environment } = surroundings;
    this.#listeners = [server.onDidChangeState(look), environment.onDidChange(look)];
  }

  /** The editor asks early and often, so no Python is looked for yet. */
  provideMcpServerDefinitions(): vscode.McpStdioServerDefinition[] {
    const words = this.#arguments();
    this.#told = words.join(" ");
    // With another version, the editor looks at the tools anew.
    const { version } = this.#surroundings.extension.packageJSON as { readonly version: string };
    return [new vscode.McpStdioServerDefinition(label, "python3", words, {}, version)];
  }

  /** Before a start: put the chosen interpreter in, with all that it needs. */
  async resolveMcpServerDefinition(
    definition: vscode.McpStdioServerDefinition,
  ): Promise<vscode.McpStdioServerDefinition | undefined> {
    const { environment, log } = this.#surroundings;
    try {
      const { path: python } = await environment.interpreter();
      const facts = await environment.facts();
      requireBackend(python, facts);
      if (!hasMcp(facts) && !(await this.#install(python))) return undefined;
      definition.command = python;
      return definition;
    } catch (error) {
      void reportProblem(error, log);
      return undefined;
    }
  }

  dispose(): void {
    for (const listener of this.#listeners) listener.dispose();
    this.#changed.dispose();
  }

  /** @returns whether the package is there now. */
  async #install(python: string): Promise<boolean> {
    const { environment, log } = this.#surroundings;
    if (this.#refused === python || !(await mayInstall(python))) {
      this.#refused = python;
      log.info(`The MCP server was not started: ${python} has no package mcp.`);
      return false;
    }
    try {
      await installMcp(python, readSettings().pipArguments);
    } finally {
      environment.refresh();
    }
    return true;
  }

  #arguments(): string[] {
    const { port, scriptPath } = readSettings();
    const address = addressOf(this.#surroundings.server.state) ?? `http://127.0.0.1:${port}`;
    return ["-m", "ttdirect", "mcp", "--url", address, "--script", scriptPath];
  }
}
