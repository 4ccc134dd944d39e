import type { AnswerFigures } from "../results/protocol";
import type { Chat, Target } from "../results/runner";
import type { ChatRequest } from "../server/api";
import { authorization, ServerRefusedError, UnreachableError } from "../server/http";
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
    let answer: Response;
    try {
      answer = await fetch(`${address}/v1/models`, { headers: authorization(key), signal });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new UnreachableError(`Nobody answers at ${new URL(address).origin}.`);
    }
    if (!answer.ok) {
      const sentence = `${address}/v1/models answered ${answer.status} ${answer.statusText}.`;
      throw new ServerRefusedError(sentence, answer.status);
    }
    const { data = [] } = (await answer.json()) as { data?: readonly { readonly id: string }[] };
    const [first, ...others] = data.map(({ id }) => id);
    if (first === undefined) throw new ServerRefusedError(`${address} has no model.`, 200);
    if (others.length === 0) return first;
    const some = [first, ...others].slice(0, 5).join(", ");
    const more = others.length > 4 ? ` and ${others.length - 4} more` : "";
    throw new ServerRefusedError(`Name one of its models: ${some}${more}.`, 200);
  }
}
