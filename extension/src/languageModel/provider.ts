import { isDeepStrictEqual } from "node:util";
import * as vscode from "vscode";
import { commands, languageModelVendor } from "../ids";
import { type CompletionRequest, OpenAiClient, type Tool } from "../server/openai";
import { ServerRefusedError } from "../server/http";
import { readyOrDown, signalOf, type WatchedServer } from "../server/waiting";
import { informationOf } from "./information";
import { textOf, toCallPart, toMessages, toTools } from "./messages";

type Information = vscode.LanguageModelChatInformation;
type RequestMessage = vscode.LanguageModelChatRequestMessage;

/** The marks that a chat template puts around a message, roughly. Tokens. */
const messageMarks = 4;

/** Characters in a token, roughly; used only while no server runs. */
const charactersPerToken = 4;

/** What extensions may set in `modelOptions`. */
const sampling = ["max_tokens", "temperature", "top_p", "seed", "stop"] as const;

const probe: Tool = { type: "function", function: { name: "probe", description: "A tool." } };

/**
 * Offer the served model to the editor and to all extensions.
 *
 * @param attended resolves when a server that ran before this window has been noticed.
 * @param chosen the model that the next server will load.
 */
export function registerModel(
  server: WatchedServer,
  attended: Promise<void>,
  chosen: () => string,
): vscode.Disposable {
  const model = new ServedModel(server, attended, chosen);
  const registered = vscode.lm.registerLanguageModelChatProvider(languageModelVendor, model);
  return vscode.Disposable.from(model, registered);
}

/**
 * Let the editor's chat know the model: it refuses every question while it knows none.
 *
 * Whoever sends the first question of a window wakes this extension by it, and the question waits
 * until the extension is active; so this belongs to the activation.
 */
export async function announceModel(): Promise<void> {
  try {
    await vscode.lm.selectChatModels({ vendor: languageModelVendor });
  } catch {
    // The editor's features of this kind are turned off, so nobody needs to know it.
  }
}

/** The served model, for the editor's chat and for every extension that asks for one. */
export class ServedModel implements vscode.LanguageModelChatProvider, vscode.Disposable {
  readonly #server: WatchedServer;
  readonly #chosen: () => string;
  readonly #attended: Promise<void>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #listener: vscode.Disposable;
  #told: Information | undefined;
  #isOffering = false;
  /** Whether the model at an address, by its name, knows tools. */
  readonly #knowsTools = new Map<string, boolean>();

  readonly onDidChangeLanguageModelChatInformation = this.#changed.event;

  constructor(server: WatchedServer, attended: Promise<void>, chosen: () => string) {
    this.#server = server;
    this.#attended = attended;
    this.#chosen = chosen;
    this.#listener = server.onDidChangeState(() => {
      // The state changes with every request; what is told of the model hardly ever.
      const isOther = this.#told && !isDeepStrictEqual(this.#told, this.#information());
      if (isOther) this.#changed.fire();
    });
  }

  provideLanguageModelChatInformation(): Information[] {
    this.#told = this.#information();
    return [this.#told];
  }

  /**
   * @throws vscode.LanguageModelError with a sentence when no server runs.
   * @throws ServerRefusedError when the server refuses the request.
   */
  async provideLanguageModelChatResponse(
    _model: Information,
    messages: readonly RequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const signal = signalOf(token);
    try {
      const address = await this.#address(signal);
      const client = new OpenAiClient(address);
      const request: CompletionRequest = {
        ...chosenOptions(options.modelOptions),
        ...(await this.#tools(client, options, signal)),
        messages: toMessages(messages),
      };
      const show = (text: string): void => progress.report(new vscode.LanguageModelTextPart(text));
      const { calls } = await client.complete(request, show, signal);
      for (const call of calls) progress.report(toCallPart(call));
    } catch (error) {
      throw signal.aborted ? new vscode.CancellationError() : error;
    }
  }

  async provideTokenCount(
    _model: Information,
    text: string | RequestMessage,
    token: vscode.CancellationToken,
  ): Promise<number> {
    const [prompt, marks] = typeof text === "string" ? [text, 0] : [textOf(text), messageMarks];
    const { state } = this.#server;
    if (state.kind !== "ready") return marks + Math.ceil(prompt.length / charactersPerToken);
    const client = new OpenAiClient(state.address);
    return marks + (await client.count({ prompt, add_special_tokens: false }, signalOf(token)));
  }

  dispose(): void {
    this.#listener.dispose();
    this.#changed.dispose();
  }

  #information(): Information {
    return informationOf(this.#server.state, this.#chosen());
  }

  async #address(signal: AbortSignal): Promise<string> {
    await this.#attended;
    const ready = await readyOrDown(this.#server, signal);
    if (ready) return ready.address;
    void this.#offerStart();
    throw vscode.LanguageModelError.NotFound(
      vscode.l10n.t(
        "The API server does not run. Start it with the command 'Tenstorrent: Start the API Server'.",
      ),
    );
  }

  /** The one who asked may show the error or not; the person can start the server in either case. */
  async #offerStart(): Promise<void> {
    if (this.#isOffering) return;
    this.#isOffering = true;
    const start = vscode.l10n.t("Start the Server");
    const what = vscode.l10n.t(
      "A language model was asked for that your API server serves, but it does not run.",
    );
    try {
      const chosen = await vscode.window.showInformationMessage(what, start);
      if (chosen === start) await vscode.commands.executeCommand(commands.start);
    } finally {
      this.#isOffering = false;
    }
  }

  /** The tools of a request, as far as the model knows such a thing. */
  async #tools(
    client: OpenAiClient,
    { tools = [], toolMode }: vscode.ProvideLanguageModelChatResponseOptions,
    signal: AbortSignal,
  ): Promise<Pick<CompletionRequest, "tools" | "tool_choice">> {
    if (tools.length === 0) return {};
    const offered = toTools(tools);
    const isRequired = toolMode === vscode.LanguageModelChatToolMode.Required;
    if (await this.#canCall(client, signal)) {
      return { tools: offered, tool_choice: isRequired ? "required" : "auto" };
    }
    if (!isRequired) return {};
    throw new Error(
      vscode.l10n.t("This model cannot call tools: serve one that was trained to call them."),
    );
  }

  /** Whether the served model knows tools: its chat template takes or refuses one. */
  async #canCall(client: OpenAiClient, signal: AbortSignal): Promise<boolean> {
    const model = `${this.#information().name} at ${client.address}`;
    const known = this.#knowsTools.get(model);
    if (known !== undefined) return known;
    const knows = await client
      .count({ messages: [{ role: "user", content: "?" }], tools: [probe] }, signal)
      .then(
        () => true,
        (error: unknown) => {
          if (error instanceof ServerRefusedError && error.status === 400) return false;
          throw error;
        },
      );
    this.#knowsTools.set(model, knows);
    return knows;
  }
}

function chosenOptions(
  options: Readonly<Record<string, unknown>> = {},
): Partial<CompletionRequest> {
  // The server checks the values, and refuses wrong ones with a sentence.
  return Object.fromEntries(
    sampling.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}
