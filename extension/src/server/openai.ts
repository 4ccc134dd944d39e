/** `POST /v1/chat/completions` and `POST /tokenize`, in OpenAI's and vLLM's words. */

import { l10n } from "vscode";
import { broken, post, readEvents, ServerRefusedError } from "./http";
import { ownKey } from "./ownKey";

export interface Message {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  /** Of an assistant: what it has called. */
  readonly tool_calls?: readonly ToolCall[];
  /** Of a tool: which call this answers. */
  readonly tool_call_id?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  /** `arguments` is JSON of an object. */
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface Tool {
  readonly type: "function";
  readonly function: {
    readonly name: string;
    readonly description: string;
    readonly parameters?: object;
  };
}

/** A conversation as a prompt: what is counted, and what is answered. */
export interface Conversation {
  readonly messages: readonly Message[];
  readonly tools?: readonly Tool[];
}

export interface CompletionRequest extends Conversation {
  /** Our own server takes any name: it has one model. */
  readonly model?: string;
  readonly tool_choice?: "auto" | "required";
  /** Without it, an answer may be as long as the context lasts. */
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly top_p?: number;
  readonly seed?: number;
  readonly stop?: string | readonly string[];
}

/** What an answer has come to. Tokens. */
export interface Completion {
  readonly finishReason: string;
  readonly calls: readonly ToolCall[];
  readonly promptTokens: number;
  /** Those of the prompt that the prefix cache held. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly delta: {
      readonly content?: string | null;
      readonly tool_calls?: readonly CallDelta[];
    };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
  } | null;
}

interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

/** A server that speaks OpenAI's API, asked from the extension's host. */
export class OpenAiClient {
  /**
   * @param address as `http://127.0.0.1:8080`, without a slash at the end.
   * @param key what the server wants to see; empty for none.
   */
  constructor(
    readonly address: string,
    readonly key = ownKey(),
  ) {}

  /**
   * Answer a conversation, and hand over the text piece by piece.
   *
   * An aborted request frees its slot on the server.
   *
   * @throws ServerRefusedError when the server answers with an error.
   * @throws UnreachableError when there is no server, or it goes away in the middle.
   */
  async complete(
    request: CompletionRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<Completion> {
    const reader = new ChunkReader(onText);
    const body = { ...request, stream: true, stream_options: { include_usage: true } };
    const answer = await post(`${this.address}/v1/chat/completions`, body, signal, this.key);
    await readEvents(answer, (data) => reader.read(data), signal);
    const completion = reader.end();
    if (!completion) throw broken(this.address);
    return completion;
  }

  /**
   * Count the tokens of a text alone, or of a conversation with all that the chat template adds.
   *
   * @throws ServerRefusedError also when the model's chat template does not take the conversation.
   * @throws UnreachableError when there is no server.
   */
  async count(
    what: Conversation | { readonly prompt: string; readonly add_special_tokens: false },
    signal: AbortSignal,
  ): Promise<number> {
    const answer = await post(`${this.address}/tokenize`, what, signal, this.key);
    const { count } = (await answer.json()) as { count?: unknown };
    if (typeof count !== "number") {
      throw new SyntaxError(l10n.t("The answer of /tokenize has no count."));
    }
    return count;
  }
}

/** Puts the chunks of a stream together: text at once, calls when the answer is complete. */
class ChunkReader {
  readonly #calls: { id: string; name: string; arguments: string }[] = [];
  #finishReason: string | undefined;
  #usage: Chunk["usage"];

  constructor(readonly onText: (text: string) => void) {}

  read(data: string): void {
    if (data === "[DONE]") return;
    const { error, choices, usage } = JSON.parse(data) as Chunk;
    if (error) throw new ServerRefusedError(error.message, 200);
    if (usage) this.#usage = usage;
    const choice = choices?.[0];
    if (!choice) return;
    if (choice.delta.content) this.onText(choice.delta.content);
    for (const delta of choice.delta.tool_calls ?? []) this.#readCall(delta);
    this.#finishReason = choice.finish_reason ?? this.#finishReason;
  }

  /** Undefined when the stream broke off. */
  end(): Completion | undefined {
    if (this.#finishReason === undefined) return undefined;
    return {
      finishReason: this.#finishReason,
      calls: this.#calls.map(({ id, ...called }) => ({ id, type: "function", function: called })),
      promptTokens: this.#usage?.prompt_tokens ?? 0,
      cachedTokens: this.#usage?.prompt_tokens_details?.cached_tokens ?? 0,
      completionTokens: this.#usage?.completion_tokens ?? 0,
    };
  }

  /** Servers may send a call in pieces: its name first, then its arguments bit by bit. */
  #readCall({ index, id, function: piece }: CallDelta): void {
    const call = (this.#calls[index] ??= { id: "", name: "", arguments: "" });
    call.id ||= id ?? "";
    call.name += piece?.name ?? "";
    call.arguments += piece?.arguments ?? "";
  }
}
