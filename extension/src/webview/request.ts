/** What is written in the prompt box, as a request; or what is wrong with it. */

import * as l10n from "@vscode/l10n";
import type { ChatRequest } from "../server/api";

export interface Entries {
  readonly prompt: string;
  readonly maxTokens: string;
  readonly temperature: string;
}

/** What is wrong, by field: one short sentence each. */
export type Mistakes = Readonly<Partial<Record<keyof Entries, string>>>;

export type Reading = { readonly request: ChatRequest } | { readonly mistakes: Mistakes };

/** Check the entries by the server's rules; an empty number leaves the choice to the server. */
export function readEntries({ prompt, maxTokens, temperature }: Entries): Reading {
  const tokens = maxTokens.trim();
  const degree = temperature.trim().replace(",", ".");
  const mistakes = {
    ...(prompt.trim() === "" && { prompt: l10n.t("Write a question first.") }),
    ...(!isWithin(tokens, /^\d*$/, 1, 2048) && {
      maxTokens: l10n.t("A whole number from 1 to 2048."),
    }),
    ...(!isWithin(degree, /^\d*\.?\d*$/, 0, 2) && { temperature: l10n.t("A number from 0 to 2.") }),
  };
  if (Object.keys(mistakes).length > 0) return { mistakes };
  return {
    request: {
      prompt,
      ...(tokens !== "" && { max_tokens: Number(tokens) }),
      ...(degree !== "" && { temperature: Number(degree) }),
    },
  };
}

function isWithin(text: string, form: RegExp, low: number, high: number): boolean {
  return text === "" || (form.test(text) && Number(text) >= low && Number(text) <= high);
}
