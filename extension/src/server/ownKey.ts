/** The key of the servers of this user: one that was entered, else the one of the environment. */

import { readFileSync } from "node:fs";

let entered: string | undefined;

/** The key that the servers of this user want, if any; of several keys each opens the server. */
export function ownKey(): string | undefined {
  const { TTDIRECT_API_KEY: keys = "", TTDIRECT_API_KEY_FILE: file = "" } = process.env;
  return entered ?? keysIn(keys)[0] ?? (file === "" ? undefined : keyOfFile(file));
}

/** Ask with this key from now on; undefined to go back to that of the environment. */
export function useKey(key: string | undefined): void {
  entered = key;
}

/** The keys in a variable: commas or lines separate them, as in `ttdirect/server/keys.py`. */
export function keysIn(value: string): readonly string[] {
  return value
    .split(/[,\n]/)
    .map((key) => key.trim())
    .filter((key) => key !== "");
}

/** The first key of a file with one key a line, as `key` or `name:key`. */
function keyOfFile(file: string): string | undefined {
  let lines: readonly string[];
  try {
    lines = readFileSync(file, "utf8").split(/\r?\n/);
  } catch {
    return undefined; // The server says what is wrong with it.
  }
  const first = lines
    .map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"));
  return first?.replace(/^[A-Za-z0-9._-]+:(?=.*\S)/, "").trim();
}
