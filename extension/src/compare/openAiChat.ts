import { l10n } from "vscode";
import type { AnswerFigures } from "../results/protocol";
import type { Chat, Target } from "../results/runner";
import type { ChatRequest } from "../server/api";
import { authorization, reach, ServerRefusedError } from "../server/http";
import { OpenAiClient } from "../server/openai";

/**
 * Asks a server by OpenAI's route, and takes the time here.
 *
 * So the columns of a comparison are measured alike, whatever their servers tell themselves.
 */
export class OpenAiChat implements Chat {
  readonly #client: OpenAiClient;
  readonly #target: Target;

  /** @param key what the server wants to see; empty for none, undefined for our own server's. */
  constructor(target: Target, key: string | undefined) {
    this.#target = target;
    this.#client = new OpenAiClient(target.address, key);
  }

  async chat(
    { prompt, ...limits }: ChatRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<AnswerFigures> {
    const model = this.#target.model || (await this.#onlyModel(signal));
    const sentAt = performance.now();
    let firstAt: number | undefined;
    let response = "";
    let pieces = 0;
    const messages = [{ role: "user", content: prompt }] as const;
    const completion = await this.#client.complete(
      { model, messages, ...limits },
      (text) => {
        firstAt ??= performance.now();
        response += text;
        pieces += 1;
        onText(text);
      },
      signal,
    );
    const seconds = (performance.now() - sentAt) / 1000;
    // Some servers count nothing; most send one token in a piece.
    const tokens = completion.completionTokens || pieces;
    return {
      prompt,
      response,
      model,
      tokens_generated: tokens,
      time_seconds: seconds,
      tokens_per_second: tokens / seconds,
      ttft_seconds: ((firstAt ?? performance.now()) - sentAt) / 1000,
      finish_reason: completion.finishReason,
    };
  }

  /** @throws ServerRefusedError when the server has several, so that one has to be named. */
  async #onlyModel(signal: AbortSignal): Promise<string> {
    const { address, key } = this.#client;
    const headers = authorization(key);
    const answer = await reach(`${address}/v1/models`, { headers, signal });
    if (!answer.ok) {
      const { status, statusText } = answer;
      const sentence = l10n.t("{0}/v1/models answered {1} {2}.", address, status, statusText);
      throw new ServerRefusedError(sentence, status);
    }
    const { data = [] } = (await answer.json()) as { data?: readonly { readonly id: string }[] };
    const [first, ...others] = data.map(({ id }) => id);
    if (first === undefined) {
      throw new ServerRefusedError(l10n.t("{0} has no model.", address), 200);
    }
    if (others.length === 0) return first;
    const some = [first, ...others].slice(0, 5).join(", ");
    throw new ServerRefusedError(
      others.length > 4
        ? l10n.t("Name one of its models: {0} and {1} more.", some, others.length - 4)
        : l10n.t("Name one of its models: {0}.", some),
      200,
    );
  }
}
