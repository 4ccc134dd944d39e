import { build } from "esbuild";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";
import { expect, start, test } from "../harness/fixtures";
import type { HostResult } from "../host/index";

// The editor's own way to run tests inside the host works only with this flag.
test.use({
  editorOptions: { installed: false, flags: ["--vscode-option", "enable-smoke-test-driver"] },
});

test("the suite inside the extension host passes", async ({ editor, page }, testInfo) => {
  test.setTimeout(240_000);
  const built = testInfo.outputPath("host");
  await build({
    entryPoints: ["index", "suite"].map((name) => join(root, `tests/editor/host/${name}.ts`)),
    outdir: built,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    format: "cjs",
    platform: "node",
    external: ["vscode"],
  });
  const results = testInfo.outputPath("results.json");
  const remote = `vscode-remote://${new URL(editor.url).host}`;
  const payload = [
    ["extensionDevelopmentPath", `${remote}${root}`],
    ["extensionTestsPath", `${remote}${built}/index.cjs`],
    ["extensionEnvironment", JSON.stringify({ TT_HOST_RESULTS: results })],
  ];
  const query = new URLSearchParams({
    folder: await editor.workspace("host"),
    payload: JSON.stringify(payload),
  });
  await page.goto(`${editor.url}/?${query.toString()}`);
  await expect.poll(() => existsSync(results), start).toBe(true);
  const found = JSON.parse(await readFile(results, "utf8")) as readonly HostResult[];
  expect(found.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(found.length).toBeGreaterThanOrEqual(10);
});
