/** What is written in the form, as a comparison; or what is wrong with it. */

import * as l10n from "@vscode/l10n";
import { readAddress } from "../../compare/address";
import { type Comparison, mostColumns } from "../../compare/protocol";

export interface Entries {
  readonly prompt: string;
  readonly maxTokens: string;
  /** Several, separated by commas or blanks. */
  readonly temperatures: string;
  /** The address of a second server; empty for none. */
  readonly other: string;
  /** The second server's model; empty for its only one. */
  readonly model: string;
}

/** What is wrong, by field: one short sentence each. */
export type Mistakes = Readonly<Partial<Record<keyof Entries, string>>>;

export type Reading = { readonly comparison: Comparison } | { readonly mistakes: Mistakes };

export function readEntries({ prompt, maxTokens, temperatures, other, model }: Entries): Reading {
  const limit = maxTokens.trim();
  const degrees = temperatures.split(/[\s,;]+/).filter((degree) => degree !== "");
  const values = [...new Set(degrees.map(Number))];
  const hasOther = other.trim() !== "";
  const address = hasOther ? readAddress(other) : undefined;
  const most = hasOther ? mostColumns / 2 : mostColumns;
  const mistakes: Mistakes = {
    ...(prompt.trim() === "" && { prompt: l10n.t("Write a question first.") }),
    ...(!(/^\d+$/.test(limit) && Number(limit) >= 1 && Number(limit) <= 2048) && {
      maxTokens: l10n.t("A whole number from 1 to 2048."),
    }),
    ...(!values.every((value) => value >= 0 && value <= 2) || values.length === 0
      ? { temperatures: l10n.t("Numbers from 0 to 2, separated by commas.") }
      : values.length > most && {
          temperatures: l10n.t("At most {0}, to be read side by side.", most),
        }),
    ...(hasOther &&
      address === undefined && {
        other: l10n.t("An address such as {0}.", "http://127.0.0.1:8000"),
      }),
  };
  if (Object.keys(mistakes).length > 0) return { mistakes };
  return {
    comparison: {
      prompt,
      maxTokens: Number(limit),
      temperatures: values,
      ...(address !== undefined && { other: { address, model: model.trim() } }),
    },
  };
}
