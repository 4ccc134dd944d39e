/**
 * A text as one word for bash, zsh, sh and fish alike.
 *
 * Inside single quotes only fish knows escapes, of which the two characters `\\` are one: whoever
 * quotes JSON writes its backslashes as `\u005c`.
 */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A program with its arguments as one line; plain words stay unquoted, as a person types them. */
export function shellLine(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellQuoted(word))).join(" ");
}
