import type { ChatRequest, ChatResult, Health } from "./api";
import { broken, post, readEvents, ServerRefusedError } from "./http";

export type { ChatRequest, ChatResult, Health };

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
    const answer = await post(`${this.address}/chat/stream`, request, signal);
    await readEvents(
      answer,
      (data) => {
        const event = JSON.parse(data) as Partial<ChatResult> & { text?: string; error?: string };
        if (event.error !== undefined) throw new ServerRefusedError(event.error, 200);
        if (event.text !== undefined) onText(event.text);
        else result = event as ChatResult;
      },
      signal,
    );
    if (!result) throw broken(this.address);
    return result;
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
