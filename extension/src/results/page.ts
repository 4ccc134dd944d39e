/** What the page in the webview may load, and from where. */
export interface PageSources {
  /** The webview's own origin, as `webview.cspSource` gives it. */
  readonly cspSource: string;
  readonly script: string;
  readonly style: string;
  /** A fresh random word: only the script that carries it runs. */
  readonly nonce: string;
}

/** The page of the results view; the script fills it. */
export function page({ cspSource, script, style, nonce }: PageSources): string {
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
    <title>API Results</title>
  </head>
  <body>
    <script nonce="${nonce}" src="${script}"></script>
  </body>
</html>
`;
}
