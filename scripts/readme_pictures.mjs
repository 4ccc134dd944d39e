// @ts-check
// The README as the editor shows it on the extension's page.

import { Buffer } from "node:buffer";

/**
 * The README with its pictures inside it: that page shows pictures from the web and from the text
 * itself, and no files. Of a pair for light and dark it gets the light one.
 *
 * @param {string} readme Markdown, with paths from the project's folder.
 * @param {(path: string) => Uint8Array} read The bytes of a PNG.
 */
export function withPictures(readme, read) {
  return readme
    .replaceAll(/\s*<source\b[^>]*>/g, "")
    .replaceAll(
      /(<img\b[^>]*\bsrc="|!\[[^\]]*\]\()(?!https:)([^")]+)/g,
      (_, before, path) =>
        `${before}data:image/png;base64,${Buffer.from(read(path)).toString("base64")}`,
    );
}
