import { createParser } from "eventsource-parser";
import type { ChatRequest, ChatResult, Health } from "./api";

export type { ChatRequest, ChatResult, Health };

/** The server answered, but not with what was asked for. `status` is the HTTP status. */
export class ServerRefusedError extends Error {
  override readonly name = "ServerRefusedError";

  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Nobody answers at the address, or the connection broke. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";
}

/** What the host at an address is: our server, another program, or nobody. */
export type Occupant =
  | { readonly kind: "ours"; readonly health: Health }
  | { readonly kind: "stranger" }
  | { readonly kind: "nobody" };

const healthSeconds = 2;

/** The lesson's HTTP routes, asked from the extension's host. */
export class ServerClient {
  /** @param address as `http://127.0.0.1:8080`, without a slash at the end. */
  constructor(readonly address: string) {}

  /** Who answers at this address. Never throws. */
  async occupant(): Promise<Occupant> {
    let answer: Response;
    try {
      answer = await fetch(`${this.address}/health`, {
        signal: AbortSignal.timeout(healthSeconds * 1000),
        redirect: "manual",
      });
    } catch (error) {
      return { kind: wasRefused(error) ? "nobody" : "stranger" };
    }
    try {
      const health: unknown = await answer.json();
      return isHealth(health) ? { kind: "ours", health } : { kind: "stranger" };
    } catch {
      return { kind: "stranger" };
    }
  }

  /**
   * Ask, and hand over the answer piece by piece.
   *
   * @param onText called with each piece; the pieces joined are the result's `response`.
   * @throws ServerRefusedError when the server answers with an error.
   * @throws UnreachableError when there is no server, or it goes away in the middle.
   */
  async chat(
    request: ChatRequest,
    onText: (text: string) => void,
    signal: AbortSignal,
  ): Promise<ChatResult> {
    let result: ChatResult | undefined;
    let failure: ServerRefusedError | undefined;
    const parser = createParser({
      onEvent: ({ data }) => {
        const event = JSON.parse(data) as Partial<ChatResult> & { text?: string; error?: string };
        if (event.error !== undefined) failure = new ServerRefusedError(event.error, 200);
        else if (event.text !== undefined) onText(event.text);
        else result = event as ChatResult;
      },
    });
    const answer = await this.#post("/chat/stream", request, signal);
    if (!answer.ok) throw new ServerRefusedError(await sentenceOf(answer), answer.status);
    try {
      const decoder = new TextDecoder();
      for await (const bytes of answer.body ?? []) {
        parser.feed(decoder.decode(bytes as Uint8Array, { stream: true }));
      }
    } catch (error) {
      if (signal.aborted) throw error;
      throw new UnreachableError(`${this.address} closed the connection before the answer ended.`);
    }
    if (failure) throw failure;
    if (!result) {
      throw new UnreachableError(`${this.address} closed the connection before the answer ended.`);
    }
    return result;
  }

  async #post(route: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const key = process.env["TTDIRECT_API_KEY"];
    try {
      return await fetch(`${this.address}${route}`, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          ...(key ? { Authorization: `Bearer ${key}` } : {}),
        },
        body: JSON.stringify(body),
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new UnreachableError(`Nobody answers at ${this.address}.`);
    }
  }
}

/** Whether the failure of a fetch means that no program listens there. */
function wasRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
  return cause?.code === "ECONNREFUSED";
}

function isHealth(value: unknown): value is Health {
  return (
    typeof value === "object" &&
    value !== null &&
    "status" in value &&
    "model_loaded" in value &&
    "max_batch_size" in value
  );
}

async function sentenceOf(answer: Response): Promise<string> {
  try {
    const body = (await answer.json()) as { error?: unknown };
    if (typeof body.error === "string") return body.error;
  } catch {
    // Not one of our errors, so its status has to do.
  }
  return `The server answered ${answer.status} ${answer.statusText}.`;
}
