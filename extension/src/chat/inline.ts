/** Text of somebody else's as a part of a line of Markdown. */
export function inline(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\*_`<[]/g, "\\$&");
}
