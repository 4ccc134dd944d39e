/** How the server's routes are asked: with its key, and with one kind of error for each failure. */

import { createParser } from "eventsource-parser";
import { l10n } from "vscode";
import { ownKey } from "./ownKey";

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

/** The header that carries a key; none for an empty one. */
export function authorization(key = ownKey()): Readonly<Record<string, string>> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

let keyWasRefused = (): void => undefined;

/** Be told whenever a server of this user wants a key, or another one. */
export function whenKeyIsRefused(tell: () => void): void {
  keyWasRefused = tell;
}

/**
 * Fetch, with one kind of error where nobody answers.
 *
 * @throws UnreachableError when there is no server; what `fetch` throws when the signal is aborted.
 */
export async function reach(
  url: string,
  request: RequestInit & { readonly signal: AbortSignal },
): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw new UnreachableError(l10n.t("Nobody answers at {0}.", new URL(url).origin));
  }
}

/**
 * Send a JSON body.
 *
 * @throws ServerRefusedError when the server answers with an error.
 * @throws UnreachableError when there is no server.
 */
export async function post(
  url: string,
  body: unknown,
  signal: AbortSignal,
  key = ownKey(),
): Promise<Response> {
  const answer = await reach(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authorization(key) },
    body: JSON.stringify(body),
    signal,
  });
  if (!answer.ok) {
    // Others' servers are asked with another key, or with the empty one.
    if (answer.status === 401 && key === ownKey()) keyWasRefused();
    throw new ServerRefusedError(await sentenceOf(answer), answer.status);
  }
  return answer;
}

/**
 * Hand over the data of each server-sent event of an answer.
 *
 * @throws UnreachableError when the connection breaks before the answer ends.
 */
export async function readEvents(
  answer: Response,
  onData: (data: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const parser = createParser({ onEvent: ({ data }) => onData(data) });
  const decoder = new TextDecoder();
  const body: ReadableStream<Uint8Array> | null = answer.body;
  if (!body) return;
  const chunks = body.getReader();
  try {
    for (;;) {
      const { done, value } = await chunks.read().catch((error: unknown) => {
        throw signal.aborted ? error : broken(answer.url);
      });
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    // A reader that throws must not leave the server writing; after the end this does nothing.
    void chunks.cancel().catch(() => undefined);
  }
}

/** The connection ended before the answer did. */
export function broken(url: string): UnreachableError {
  const { origin } = new URL(url);
  return new UnreachableError(l10n.t("{0} closed the connection before the answer ended.", origin));
}

/** The sentence in an error of the lesson's routes, or of OpenAI's. */
async function sentenceOf(answer: Response): Promise<string> {
  try {
    const { error } = (await answer.json()) as { error?: string | { message?: unknown } };
    const sentence = typeof error === "object" ? error.message : error;
    if (typeof sentence === "string") return sentence;
  } catch {
    // Not one of our errors, so its status has to do.
  }
  return l10n.t("The server answered {0} {1}.", answer.status, answer.statusText);
}
