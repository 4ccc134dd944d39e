import { fileURLToPath, URL } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    // The editor's module exists in the editor only; tests bring the few parts that they need.
    alias: { vscode: fileURLToPath(new URL("tests/extension/vscode.ts", import.meta.url)) },
  },
  test: { dir: "tests", include: ["**/{extension,clients}/**/*.test.ts"] },
});
