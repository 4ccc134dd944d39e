/** What the editor loads when it wakes the extension: how long that takes depends on it. */

import { build, type Metafile } from "esbuild";
import { builtinModules } from "node:module";
import { beforeAll, expect, test } from "vitest";

const largestKilobytes = 200;

let output: Metafile["outputs"][string] | undefined;

beforeAll(async () => {
  const { metafile } = await build({
    entryPoints: ["extension/src/extension.ts"],
    bundle: true,
    minify: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["vscode"],
    metafile: true,
    write: false,
  });
  output = Object.values(metafile.outputs)[0];
});

test("is small", () => {
  expect((output?.bytes ?? Infinity) / 1000).toBeLessThan(largestKilobytes);
});

test("needs nothing but the editor and Node", () => {
  const needed = output?.imports.map(({ path }) => path.replace(/^node:/, "")) ?? [];
  const known = ["vscode", ...builtinModules];
  expect(needed.filter((path) => !known.includes(path))).toEqual([]);
  expect(needed.length).toBeGreaterThan(5);
});

test("holds none of the pages' code, which only their webviews load", () => {
  const pages = Object.keys(output?.inputs ?? {}).filter((file) => file.includes("src/webview/"));
  expect(pages).toEqual([]);
});
