/** Prometheus' text format, as far as a reader of one server's figures needs it. */

import { l10n } from "vscode";

/** One line of figures. A histogram's ranges are samples too, named `..._bucket`. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

// A name, perhaps labels in braces, and a value; a time stamp may follow.
const line = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$/;
const label = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

const escapes: Readonly<Record<string, string>> = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };
const infinities: Readonly<Record<string, number>> = { "+Inf": Infinity, "-Inf": -Infinity };

/**
 * The samples of a text, in its order; comments are passed over.
 *
 * @throws SyntaxError when a line is no sample: this is another program's page.
 */
export function samplesOf(text: string): readonly Sample[] {
  return text
    .split("\n")
    .map((row) => row.trim())
    .filter((row) => row !== "" && !row.startsWith("#"))
    .map(sampleOf);
}

function sampleOf(row: string): Sample {
  const [, name, labels = "", value = ""] = line.exec(row) ?? [];
  const number = infinities[value] ?? Number(value);
  if (name === undefined || (Number.isNaN(number) && value !== "NaN")) {
    throw new SyntaxError(l10n.t('"{0}" is not a line of Prometheus\' text format.', row));
  }
  const pairs = [...labels.matchAll(label)].map(([, key = "", written = ""]) => [
    key,
    written.replace(/\\[n"\\]/g, (escape) => escapes[escape] ?? escape),
  ]);
  return { name, labels: Object.fromEntries(pairs) as Record<string, string>, value: number };
}
