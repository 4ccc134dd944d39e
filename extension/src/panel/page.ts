/** What a page in a webview may load, and from where. */
export interface PageSources {
  readonly title: string;
  /** The webview's own origin, as `webview.cspSource` gives it. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  /** A fresh random word: only the script that carries it runs. */
  readonly nonce: string;
}

/** A page of ours; its script fills it. */
export function page({ title, cspSource, script, style, nonce }: PageSources): string {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${cspSource}`,
    `img-src ${cspSource} data:`,
    `font-src ${cspSource}`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="UTF-8">
    <meta http-equiv="Content-Security-Policy" content="${policy}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <link rel="stylesheet" href="${style}">
    <title>${title}</title>
  </head>
  <body>
    <script nonce="${nonce}" src="${script}"></script>
  </body>
</html>
`;
}
