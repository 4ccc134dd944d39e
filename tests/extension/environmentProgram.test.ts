import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runProgram } from "../../extension/src/environment/program";

let folder: string;

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "program-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function program(script: string): string {
  const file = join(folder, "program");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

test("tells how a program has ended, and what it said", async () => {
  const words = ["one two", "three"];
  const lines: string[] = [];
  const answer = await runProgram({
    program: program('echo "$1"; echo "$SECRET"; echo oh >&2; exit 3'),
    words,
    variables: { SECRET: "hidden" },
    limit: { seconds: 60 },
    onLine: (line) => lines.push(line),
  });
  expect(answer).toEqual({ code: 3, stdout: "one two\nhidden", stderr: "oh", isLate: false });
  expect(lines).toEqual(["one two", "hidden"]);
});

test("ends what takes too long, and leaves it the time to clean up", async () => {
  const script = 'trap "echo cleaned; exit 4" TERM; while :; do sleep 0.05; done';
  const answer = await runProgram({
    program: program(script),
    words: [],
    limit: { seconds: 0.5 },
  });
  expect(answer).toMatchObject({ code: 4, stdout: "cleaned", isLate: true });
});

test("waits for nothing that hears no signal", async () => {
  const answer = await runProgram({
    program: program('trap "" TERM; exec sleep 60'),
    words: [],
    limit: { seconds: 0.5, isKilled: true },
  });
  expect(answer).toMatchObject({ code: undefined, isLate: true });
});

test("says why a program did not run", async () => {
  const answer = await runProgram({ program: join(folder, "nothing"), words: [] });
  expect(answer.code).toBeUndefined();
  expect(answer.stderr).toContain("ENOENT");
});
