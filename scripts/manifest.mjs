// @ts-check
// package.json as the editor reads it: with words in place of the %keys% that stand for them.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * @param {string} [language] As in "de"; without one, the words are English.
 * @returns {unknown} What a translation lacks is English.
 */
export function readManifest(language) {
  const words = {
    ...readWords("package.nls.json"),
    ...(language && readWords(`package.nls.${language}.json`)),
  };
  return JSON.parse(read("package.json"), (_name, value) => {
    const key = typeof value === "string" ? /^%(.+)%$/.exec(value)?.[1] : undefined;
    return key === undefined ? value : words[key];
  });
}

/**
 * @param {string} file
 * @returns {Record<string, string>}
 */
function readWords(file) {
  return JSON.parse(read(file));
}

/** @param {string} file */
function read(file) {
  return readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), "utf8");
}
