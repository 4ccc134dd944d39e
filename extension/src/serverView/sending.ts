import { l10n } from "vscode";
import { authorization, UnreachableError } from "../server/http";

/** One request that was sent to a route, and its answer as text for people. */
export interface Exchange {
  /** What opens it: "GET health". */
  readonly title: string;
  /** The editor's name for the kind of text. */
  readonly language: "jsonc" | "html" | "plaintext";
  readonly text: string;
}

/** A request to be sent. */
export interface Outgoing {
  readonly method: string;
  readonly url: string;
  /** JSON; undefined for none. */
  readonly body: unknown;
}

/**
 * Send a request, and put down question and answer in one text.
 *
 * @throws UnreachableError when nobody answers.
 */
export async function exchange(outgoing: Outgoing, signal: AbortSignal): Promise<Exchange> {
  const { method, url, body } = outgoing;
  const began = performance.now();
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, {
      method,
      headers: {
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...authorization(),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "manual",
      signal,
    });
    text = await answer.text();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UnreachableError(l10n.t("Nobody answers at {0}.", new URL(url).origin));
  }
  const milliseconds = Math.round(performance.now() - began);
  const told = [
    `${method} ${url}`,
    ...(body === undefined ? [] : [JSON.stringify(body)]),
    l10n.t("{0} {1}, in {2} ms", answer.status, answer.statusText, milliseconds),
  ];
  const title = `${method} ${new URL(url).pathname.split("/").filter(Boolean).join(" ") || "page"}`;
  const type = answer.headers.get("Content-Type") ?? "";
  const pretty = type.includes("json") ? prettyJson(text) : undefined;
  if (pretty !== undefined) {
    return { title, language: "jsonc", text: `${commented(told, "// ")}\n${pretty}\n` };
  }
  const isHtml = type.includes("html");
  const head = isHtml ? `<!--\n${told.join("\n")}\n-->` : commented(told, "# ");
  return { title, language: isHtml ? "html" : "plaintext", text: `${head}\n${text}` };
}

function commented(lines: readonly string[], mark: string): string {
  return lines.map((line) => mark + line).join("\n");
}

function prettyJson(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}
