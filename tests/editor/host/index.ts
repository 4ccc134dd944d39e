/**
 * Runs the suite inside an extension host.
 *
 * The editor calls `run` (its argument `extensionTestsPath`) and ends the host when it resolves;
 * what the tests found is left in a file, which `specs/extension_host.spec.ts` reads.
 */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run as runTests } from "node:test";
import { inspect } from "node:util";

/** One test as the specification needs it. */
export interface HostResult {
  readonly name: string;
  /** Undefined when it passed. */
  readonly error: string | undefined;
}

export async function run(): Promise<void> {
  const file = process.env["TT_HOST_RESULTS"];
  if (file === undefined) throw new Error("TT_HOST_RESULTS names no file.");
  const results: HostResult[] = [];
  // In this process: another one would not have the editor's API.
  const options: object = { files: [join(__dirname, "suite.cjs")], isolation: "none" };
  const tests = runTests(options);
  // The run itself ends with the process; its one suite, which has no nesting, before that.
  await new Promise<void>((resolve) => {
    const keep = (name: string, nesting: number, error?: Error): void => {
      if (nesting === 0) resolve();
      else results.push({ name, error: error && inspect(error.cause ?? error) });
    };
    tests.on("test:pass", ({ name, nesting }) => keep(name, nesting));
    tests.on("test:fail", ({ name, nesting, details }) => keep(name, nesting, details.error));
  });
  await writeFile(file, JSON.stringify(results));
}
