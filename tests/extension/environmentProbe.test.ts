import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  checkImports,
  isNewEnough,
  parseFacts,
  Probe,
} from "../../extension/src/environment/probe";

const answer = {
  version: "3.11.2",
  executable: "/usr/bin/python3",
  isVirtual: false,
  isExternallyManaged: true,
  hasPip: true,
  hasVenv: false,
  hasTtnn: false,
  packages: { flask: "3.1.0" },
};

describe("what a probe prints", () => {
  test("is read from its last line, whatever came before", () => {
    expect(parseFacts(`sitecustomize says hello\n${JSON.stringify(answer)}\n`)).toEqual(answer);
  });

  test("may be no more than the version, from an old Python", () => {
    const facts = parseFacts('{"version": "2.7.18", "executable": "/usr/bin/python2"}');
    expect(facts).toMatchObject({ version: "2.7.18", hasPip: false, packages: {} });
  });

  test.each([
    ["", "it printed nothing"],
    ["hello", 'it printed "hello"'],
    ["[1]", 'it printed "[1]"'],
    ["null", 'it printed "null"'],
  ])("is refused when it is %j", (output, message) => {
    expect(() => parseFacts(output)).toThrow(message);
  });
});

test.each([
  ["2.7.18", false],
  ["3.9.19", false],
  ["3.10.0", true],
  ["3.13.1", true],
  ["4.0.0", true],
  ["", false],
])("Python %s is new enough: %s", (version, expected) => {
  expect(isNewEnough(version)).toBe(expected);
});

describe("a probe of a program", () => {
  let folder: string;
  const programs = { count: 0 };

  beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), "probe-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  function program(text: string, mode = 0o755): string {
    const file = path.join(folder, `python${programs.count++}`);
    writeFileSync(file, `#!/bin/sh\n${text}\n`);
    chmodSync(file, mode);
    return file;
  }

  test("asks once until it is told to forget", async () => {
    const log = path.join(folder, "asked");
    const python = program(`echo asked >> ${log}; wc -l < ${log} > /dev/null
      printf '{"version": "3.%s.0"}' "$(grep -c . ${log})"`);
    const probe = new Probe();
    expect((await probe.facts(python)).version).toBe("3.1.0");
    expect((await probe.facts(python)).version).toBe("3.1.0");
    probe.invalidate();
    expect((await probe.facts(python)).version).toBe("3.2.0");
  });

  test("tells the last line of the complaint", async () => {
    const python = program("echo Traceback >&2; echo 'ImportError: broken' >&2; exit 1");
    await expect(new Probe().facts(python)).rejects.toThrow("ImportError: broken");
    expect(await checkImports(python, "cpu")).toBe("ImportError: broken");
  });

  test("names a file that may not be run", async () => {
    await expect(new Probe().facts(program("", 0o644))).rejects.toThrow("it is not executable");
  });

  test("does not remember a failure", async () => {
    const flag = path.join(folder, "flag");
    const python = program(`[ -e ${flag} ] && echo '{"version": "3.12.0"}'`);
    const probe = new Probe();
    await expect(probe.facts(python)).rejects.toThrow("it failed (1)");
    writeFileSync(flag, "");
    expect((await probe.facts(python)).version).toBe("3.12.0");
  });

  test("imports the CPU's generator only where the CPU answers", async () => {
    const python = program('echo "$3" | tail -n 1 >&2; exit 1');
    expect(await checkImports(python, "cpu")).toContain("ttdirect.generator");
    expect(await checkImports(python, "tenstorrent")).toBe(
      "import flask, gunicorn, ttdirect.server, ttdirect.engine",
    );
  });
});
