import { l10n } from "vscode";
import { authorization } from "../server/http";

/** A route of the server that runs. */
export interface Route {
  readonly method: string;
  /** As `/v1/models/{name}`. */
  readonly path: string;
  /** What it does, in one sentence. */
  readonly summary: string;
}

/** What every script of the lesson spells out, should the server not describe itself. */
const spelledOut = (): readonly Route[] => [
  { method: "POST", path: "/chat", summary: l10n.t("Ask the model.") },
  { method: "GET", path: "/health", summary: l10n.t("Whether the model is ready.") },
];

/** What a learner tries first. */
const first = ["/chat", "/chat/stream", "/health"];

const question = "What is machine learning?";

/**
 * The routes that the server at an address has, those of its owner's script included.
 *
 * @throws Error when the signal is aborted.
 */
export async function fetchRoutes(address: string, signal: AbortSignal): Promise<readonly Route[]> {
  try {
    const answer = await fetch(`${address}/openapi.json`, {
      headers: authorization(),
      signal,
    });
    return answer.ok ? readRoutes(await answer.json()) : spelledOut();
  } catch (error) {
    if (signal.aborted) throw error;
    return spelledOut();
  }
}

/** The routes in an OpenAPI description: the lesson's first, then in its order. */
export function readRoutes(description: unknown): readonly Route[] {
  const { paths = {} } = description as {
    paths?: Record<string, Record<string, { summary?: string }>>;
  };
  const all = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary = "" }]) => ({
      method: method.toUpperCase(),
      path,
      summary,
    })),
  );
  const place = ({ path }: Route): number =>
    first.includes(path) ? first.indexOf(path) : first.length;
  return all.toSorted((a, b) => place(a) - place(b));
}

/** The path to ask: a name in it is the model's. Undefined where we do not know what to fill in. */
export function filledIn({ path }: Route, model: string): string | undefined {
  const filled = path === "/v1/models/{name}" ? `/v1/models/${encodeURIComponent(model)}` : path;
  return filled.includes("{") ? undefined : filled;
}

/** A body that shows what a route does. Undefined for routes that we do not know. */
export function sampleBody({ path }: Route, model: string): unknown {
  const samples: Readonly<Record<string, unknown>> = {
    "/chat": { prompt: question },
    "/chat/stream": { prompt: question },
    "/v1/chat/completions": {
      model,
      messages: [{ role: "user", content: question }],
      max_tokens: 64,
    },
    "/v1/completions": { model, prompt: "Machine learning is", max_tokens: 32 },
    "/tokenize": { model, prompt: question },
    "/detokenize": { model, tokens: [10, 20, 30] },
  };
  return samples[path];
}

/** Whether a request can be made up for it. */
export function canSend(route: Route, model: string): boolean {
  if (filledIn(route, model) === undefined) return false;
  return (
    route.method === "GET" || (route.method === "POST" && sampleBody(route, model) !== undefined)
  );
}
