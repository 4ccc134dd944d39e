// @ts-check
// Write l10n/bundle.l10n.json: every sentence of the extension's sources, for its translators.
//
//     node scripts/export_strings.mjs

import { getL10nJson } from "@vscode/l10n-dev";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = join(root, "extension/src");
const bundle = join(root, "l10n/bundle.l10n.json");

/** The text of the bundle as the sources say it now, in the order of the alphabet. */
export async function bundleText() {
  const texts = readdirSync(sources, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => readFileSync(join(sources, name), "utf8"));
  // The tool searches a file once more for each import that may bring `l10n`: one text with one such
  // import takes a fifteenth of the time.
  const own = texts.map((text) =>
    text.replaceAll(/^import .* from "(?:vscode|@vscode\/l10n)";$/gm, ""),
  );
  const contents = ['import * as vscode from "vscode";', ...own].join("\n");
  const strings = Object.entries(await getL10nJson([{ extension: ".ts", contents }]));
  strings.sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(strings), null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(bundle, await bundleText());
}
