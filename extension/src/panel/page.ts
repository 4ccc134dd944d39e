/** The element that holds the page's words in another language, for its script to read. */
export const translationsId = "translations";

/** What a page in a webview says and may load, and from where. */
export interface PageSources {
  readonly title: string;
  /** As in "de": what the page's words are in. */
  readonly language: string;
  /** What they are in that language, by the English ones; undefined where that is theirs. */
  readonly translations: Readonly<Record<string, string>> | undefined;
  /** The webview's own origin, as `webview.cspSource` gives it. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  /** A fresh random word: only the script that carries it runs. */
  readonly nonce: string;
}

/** A page of ours; its script fills it. */
export function page(sources: PageSources): string {
  const { title, language, translations, cspSource, script, style, nonce } = sources;
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource}`,
    `img-src ${cspSource} data:`,
    `font-src ${cspSource}`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="${language}">
  <head>
    <meta charset="UTF-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="${style}">
    <title>${title}</title>
  </head>
  <body>${translations ? dataBlock(translations) : ""}
    <script nonce="${nonce}" src="${script}"></script>
  </body>
</html>
`;
}

/** Data, which no policy keeps from being read: a browser runs nothing of this type. */
function dataBlock(translations: Readonly<Record<string, string>>): string {
  const json = JSON.stringify(translations).replaceAll("<", "\\u003c");
  return `\n    <script type="application/json" id="${translationsId}">${json}</script>`;
}
