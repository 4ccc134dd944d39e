// Bundle the extension: the host's half for Node, the pages of its webviews for the browser.
//
//     node scripts/build_extension.mjs [--watch]

import { context } from "esbuild";

const shared = {
  bundle: true,
  minify: true,
  sourcemap: "linked",
  sourcesContent: false,
  logLevel: "warning",
  outdir: "dist",
};

const builds = [
  {
    ...shared,
    entryPoints: ["extension/src/extension.ts"],
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["vscode"],
  },
  {
    ...shared,
    entryPoints: {
      "webview/results": "extension/src/webview/results.ts",
      "webview/compare": "extension/src/webview/compare/compare.ts",
      "webview/dashboard": "extension/src/webview/dashboard/dashboard.ts",
    },
    platform: "browser",
    format: "iife",
    target: "es2022",
  },
];

for (const build of builds) {
  const bundle = await context(build);
  if (process.argv.includes("--watch")) {
    await bundle.watch();
  } else {
    await bundle.rebuild();
    await bundle.dispose();
  }
}
