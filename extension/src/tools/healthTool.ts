import * as vscode from "vscode";
import { ServerClient } from "../server/client";
import { addressOf, type ServerState } from "../server/state";
import type { WatchedServer } from "../server/waiting";

/** Tells agents how the server is. It looks and changes nothing, so nobody is asked before. */
export class HealthTool implements vscode.LanguageModelTool<object> {
  readonly #server: WatchedServer;
  readonly #attended: Promise<void>;

  /** @param attended resolves when a server that ran before this window has been noticed. */
  constructor(server: WatchedServer, attended: Promise<void>) {
    this.#server = server;
    this.#attended = attended;
  }

  prepareInvocation(): vscode.PreparedToolInvocation {
    return { invocationMessage: vscode.l10n.t("Looking at the API server") };
  }

  async invoke(): Promise<vscode.LanguageModelToolResult> {
    await this.#attended;
    const report = await reportOf(this.#server.state);
    const text = JSON.stringify(report, undefined, 2);
    return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(text)]);
  }
}

/** What `/health` says at this moment, or why there is nobody to ask. */
async function reportOf(state: ServerState): Promise<object> {
  const address = addressOf(state);
  const occupant = address && (await new ServerClient(address).occupant());
  if (occupant && occupant.kind === "ours") return { address, ...occupant.health };
  if (state.kind === "failed") {
    return { status: state.kind, note: `${state.failure.what} ${state.failure.fix}` };
  }
  if (state.kind === "stopped") {
    return {
      status: state.kind,
      note: "The API server does not run. The command 'Tenstorrent: Start the API Server' starts it.",
    };
  }
  return { status: state.kind };
}
