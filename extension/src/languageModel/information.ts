import * as path from "node:path";
import { l10n, type LanguageModelChatInformation } from "vscode";
import type { ServerState } from "../server/state";
import { stateWord } from "../status/description";

/** The one model, under a name that stays when another one is served: a choice is kept by it. */
const modelId = "served";

/** The context of a new script; a server that runs says its own. Tokens. */
const usualContext = 2048;

const longestOutput = 4096;

/** How a context is shared between prompt and answer. Tokens. */
export interface Limits {
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
}

/** A quarter of the context is kept for the answer, but no more than answers need. */
export function limitsOf(context: number): Limits {
  const maxOutputTokens = Math.min(longestOutput, Math.floor(context / 4));
  return { maxInputTokens: context - maxOutputTokens, maxOutputTokens };
}

/**
 * The model as other extensions and the model picker see it.
 *
 * It is there in every state: without a model the editor refuses each question to our participant,
 * also the one that would start the server.
 *
 * @param chosen the setting: what the next server will load.
 */
export function informationOf(state: ServerState, chosen: string): LanguageModelChatInformation {
  const health = state.kind === "ready" ? state.health : undefined;
  const name = health?.model ?? path.basename(chosen);
  return {
    id: modelId,
    name,
    family: name,
    version: health?.version ?? "0",
    detail: health
      ? l10n.t("on {0}", health.device ?? l10n.t("your server"))
      : stateWord(state.kind),
    tooltip: health
      ? l10n.t("Your own server answers, with a context of {0} tokens.", health.max_seq_len)
      : l10n.t("Your own API server, which does not run yet."),
    ...limitsOf(health?.max_seq_len ?? usualContext),
    // In agent mode, the editor's default, no other model can be chosen, and our participant would
    // be refused. A model that knows no tools gets none and answers with text.
    capabilities: { toolCalling: true, imageInput: false },
  };
}
