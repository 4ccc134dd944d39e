import * as vscode from "vscode";
import { type ChatResult, ServerClient } from "../server/client";
import { readyOrDown, signalOf, type WatchedServer } from "../server/waiting";

/** The input, as the schema in `package.json` lets it through. */
export interface Question {
  readonly prompt: string;
  readonly max_tokens?: number;
  readonly temperature?: number;
}

/** Tokens; the server's own default is for people, who can ask again. */
const usualLength = 256;

/** So much of a prompt is shown to whoever has to allow it. */
const shownCharacters = 300;

/** Lets agents ask the served model. It takes the computer for a while, so a person allows it. */
export class ChatTool implements vscode.LanguageModelTool<Question> {
  readonly #server: WatchedServer;
  readonly #attended: Promise<void>;

  /** @param attended resolves when a server that ran before this window has been noticed. */
  constructor(server: WatchedServer, attended: Promise<void>) {
    this.#server = server;
    this.#attended = attended;
  }

  prepareInvocation({
    input,
  }: vscode.LanguageModelToolInvocationPrepareOptions<Question>): vscode.PreparedToolInvocation {
    return {
      invocationMessage: vscode.l10n.t("Asking the model of your API server"),
      confirmationMessages: {
        title: vscode.l10n.t("Ask the model of your API server?"),
        message: vscode.l10n.t(
          "It computes the answer on your own hardware. The prompt: {0}",
          shortened(input.prompt),
        ),
      },
    };
  }

  /**
   * @throws Error with a sentence for the agent when no server runs, or it refuses.
   * @throws vscode.CancellationError when the call is cancelled; its slot is free then.
   */
  async invoke(
    { input }: vscode.LanguageModelToolInvocationOptions<Question>,
    token: vscode.CancellationToken,
  ): Promise<vscode.LanguageModelToolResult> {
    const signal = signalOf(token);
    const { prompt, max_tokens = usualLength, temperature = 0 } = input;
    try {
      const client = new ServerClient(await this.#address(signal));
      const request = { prompt, max_tokens, temperature };
      const result = await client.chat(request, () => undefined, signal);
      return new vscode.LanguageModelToolResult([
        new vscode.LanguageModelTextPart(result.response),
        new vscode.LanguageModelTextPart(costOf(result)),
      ]);
    } catch (error) {
      throw signal.aborted ? new vscode.CancellationError() : error;
    }
  }

  async #address(signal: AbortSignal): Promise<string> {
    await this.#attended;
    const ready = await readyOrDown(this.#server, signal);
    if (ready) return ready.address;
    throw new Error(
      "The API server does not run. Ask the user to start it with the command " +
        "'Tenstorrent: Start the API Server'.",
    );
  }
}

function shortened(prompt: string): string {
  const line = prompt.replaceAll(/\s+/g, " ").trim();
  return line.length > shownCharacters ? `${line.slice(0, shownCharacters)}…` : line;
}

/** What an agent should know beside the answer: what it cost, and whether it is whole. */
function costOf({ tokens_generated, time_seconds, finish_reason }: ChatResult): string {
  const cost = `${tokens_generated} tokens in ${time_seconds.toFixed(2)} s`;
  return finish_reason === "length" ? `(${cost}; cut off at max_tokens)` : `(${cost})`;
}
