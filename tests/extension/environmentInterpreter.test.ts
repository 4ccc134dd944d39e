import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  candidates,
  findInterpreter,
  requireUsable,
} from "../../extension/src/environment/interpreter";
import type { Interpreter, InterpreterSources } from "../../extension/src/environment/interpreter";
import { parseFacts, ProbeError } from "../../extension/src/environment/probe";
import { commands } from "../../extension/src/ids";
import { Problem } from "../../extension/src/problem";

const nobody: InterpreterSources = {
  setting: "",
  fromEnvironmentsExtension: () => Promise.resolve(undefined),
  fromPythonExtension: () => Promise.resolve(undefined),
  ttMetalFolder: undefined,
  searchPath: "",
  isExecutable: () => false,
};

const everybody: InterpreterSources = {
  setting: "/set/python",
  fromEnvironmentsExtension: () => Promise.resolve("/envs/python"),
  fromPythonExtension: () => Promise.resolve("/ext/python"),
  ttMetalFolder: "/tt-metal",
  searchPath: "relative:/empty:/usr/bin",
  isExecutable: (file) =>
    ["/tt-metal/python_env/bin/python", "/usr/bin/python3", "relative/python3"].includes(file),
};

async function all(sources: InterpreterSources): Promise<readonly Interpreter[]> {
  const found: Interpreter[] = [];
  for await (const candidate of candidates(sources)) found.push(candidate);
  return found;
}

describe("who names an interpreter", () => {
  test("is asked in the documented order, and gives a reason", async () => {
    expect(await all(everybody)).toEqual([
      { path: "/set/python", reason: "the setting tenstorrent.interpreter says so" },
      { path: "/envs/python", reason: "the Python Environments extension has chosen it" },
      { path: "/ext/python", reason: "the Python extension has chosen it" },
      { path: "/tt-metal/python_env/bin/python", reason: "it belongs to tt-metal in /tt-metal" },
      { path: "/usr/bin/python3", reason: "it is the python3 on the PATH" },
    ]);
  });

  test("counts once, with the best reason", async () => {
    const same = () => Promise.resolve("/usr/bin/python3");
    const found = await all({
      ...everybody,
      setting: "",
      fromEnvironmentsExtension: same,
      fromPythonExtension: same,
      ttMetalFolder: undefined,
    });
    expect(found).toEqual([
      { path: "/usr/bin/python3", reason: "the Python Environments extension has chosen it" },
    ]);
  });

  test("is not disturbed when the setting has answered already", async () => {
    const neverAsked = () => Promise.reject(new Error("asked"));
    const found = await findInterpreter({
      ...everybody,
      fromEnvironmentsExtension: neverAsked,
      fromPythonExtension: neverAsked,
    });
    expect(found.path).toBe("/set/python");
  });

  test("may be a bare name in the setting, looked up on the PATH", async () => {
    const found = await findInterpreter({ ...everybody, setting: "python3" });
    expect(found.path).toBe("/usr/bin/python3");
    expect((await findInterpreter({ ...nobody, setting: "python9" })).path).toBe("python9");
  });

  test("tt-metal counts only if its environment is there", async () => {
    expect(await all({ ...nobody, ttMetalFolder: "/tt-metal" })).toEqual([]);
  });

  test("is missed with a way out", async () => {
    await expect(findInterpreter(nobody)).rejects.toMatchObject({
      what: "No Python was found on this computer.",
      remedies: [{ command: commands.chooseInterpreter }],
    });
  });

  test("on Windows, the way leads to WSL", async () => {
    await expect(findInterpreter(everybody, undefined, "win32")).rejects.toThrow("WSL");
  });
});

describe("on a card's host", () => {
  const python_env = "/tt-metal/python_env/bin/python";
  const unset = { ...everybody, setting: "" };
  const only =
    (...files: readonly string[]) =>
    (file: string) =>
      Promise.resolve(files.includes(file));

  test("the first with ttnn is taken, with a reason that names the one without", async () => {
    expect(await findInterpreter(unset, only(python_env, "/usr/bin/python3"))).toEqual({
      path: python_env,
      reason: "it belongs to tt-metal in /tt-metal and it has ttnn, which /envs/python lacks",
    });
  });

  test("the first of all needs no other reason where it has ttnn", async () => {
    expect(await findInterpreter(unset, only("/envs/python", python_env))).toEqual({
      path: "/envs/python",
      reason: "the Python Environments extension has chosen it",
    });
  });

  test("what a person has set stays, and is not asked", async () => {
    const neverAsked = () => Promise.reject(new Error("asked"));
    expect((await findInterpreter(everybody, neverAsked)).path).toBe("/set/python");
  });

  test("the first of all is taken where none has ttnn", async () => {
    expect((await findInterpreter(unset, only())).path).toBe("/envs/python");
    await expect(findInterpreter(nobody, only())).rejects.toThrow("No Python was found");
  });
});

describe("an interpreter that was named", () => {
  let folder: string;
  let file: string;

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "interpreter-"));
    file = path.join(folder, "python");
    writeFileSync(file, "");
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const because = "the setting tenstorrent.interpreter says so";
  const check = (at: string, version: string) =>
    requireUsable({ path: at, reason: because }, () =>
      Promise.resolve(parseFacts(JSON.stringify({ version }))),
    );

  test("is accepted from Python 3.10 on", async () => {
    expect((await check(file, "3.10.1")).version).toBe("3.10.1");
  });

  test("is refused with its path, the reason for it, and a way out", async () => {
    const remedies = [{ title: "Choose Interpreter", command: commands.chooseInterpreter }];
    await expect(check("/nowhere/python", "3.12.0")).rejects.toMatchObject({
      what: `There is no Python at /nowhere/python, but ${because}.`,
      remedies,
    });
    await expect(check(folder, "3.12.0")).rejects.toMatchObject({
      what: `${folder} is a folder, but ${because}.`,
      remedies,
    });
    await expect(check(file, "3.9.2")).rejects.toMatchObject({
      what: `${file} is Python 3.9.2, which is too old, but ${because}.`,
      remedies,
    });
  });

  test("is refused when it is no Python", async () => {
    const asked = requireUsable({ path: file, reason: because }, () =>
      Promise.reject(new ProbeError("it printed nothing")),
    );
    await expect(asked).rejects.toBeInstanceOf(Problem);
    await expect(asked).rejects.toThrow(`${file} cannot be used as Python (it printed nothing)`);
  });
});
