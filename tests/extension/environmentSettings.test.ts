import { describe, expect, test } from "vitest";
import {
  resolveModel,
  resolvePath,
  resolveProgram,
  substitute,
  validPort,
} from "../../extension/src/settings";

const places = {
  home: "/srv/ada",
  workspaceFolder: "/srv/lesson",
  environment: { VENV: "/opt/venv", ODD: "$& ${userHome}" },
};
const noFolder = { ...places, workspaceFolder: undefined };

describe("variables in settings", () => {
  test.each([
    ["~", "/srv/ada"],
    ["~/script.py", "/srv/ada/script.py"],
    ["${userHome}/script.py", "/srv/ada/script.py"],
    ["${workspaceFolder}/.venv/bin/python", "/srv/lesson/.venv/bin/python"],
    ["${env:VENV}/bin/python", "/opt/venv/bin/python"],
    ["${userHome}:${userHome}", "/srv/ada:/srv/ada"],
    ["/plain/path", "/plain/path"],
  ])("%s means %s", (text, expected) => {
    expect(substitute(text, places)).toBe(expected);
  });

  test("a tilde counts at the beginning only, and not before a user's name", () => {
    expect(substitute("/a/~/b", places)).toBe("/a/~/b");
    expect(substitute("~grace/b", places)).toBe("~grace/b");
  });

  test("an unset variable of the environment is empty", () => {
    expect(substitute("a${env:MISSING}b", places)).toBe("ab");
  });

  test("what cannot be replaced stays, so that a message shows it", () => {
    expect(substitute("${workspaceFolder}/x", noFolder)).toBe("${workspaceFolder}/x");
    expect(substitute("${unknown}/x", places)).toBe("${unknown}/x");
  });

  test("a value is taken to the letter, and not replaced once more", () => {
    expect(substitute("${env:ODD}", places)).toBe("$& ${userHome}");
  });
});

describe("paths in settings", () => {
  test("a relative path starts in the workspace, or at home without one", () => {
    expect(resolvePath("server.py", places)).toBe("/srv/lesson/server.py");
    expect(resolvePath("server.py", noFolder)).toBe("/srv/ada/server.py");
    expect(resolvePath("~/../x.py", places)).toBe("/srv/x.py");
  });

  test("an interpreter is a path, or a bare name that stays one", () => {
    expect(resolveProgram("python3.12", places)).toBe("python3.12");
    expect(resolveProgram(".venv/bin/python", places)).toBe("/srv/lesson/.venv/bin/python");
    expect(resolveProgram("", places)).toBe("");
  });

  test("a model is a folder only if it looks like one", () => {
    expect(resolveModel("demo", places)).toBe("demo");
    expect(resolveModel("meta-llama/Llama-3.2-1B", places)).toBe("meta-llama/Llama-3.2-1B");
    expect(resolveModel("~/models/llama", places)).toBe("/srv/ada/models/llama");
    expect(resolveModel("./llama", places)).toBe("/srv/lesson/llama");
  });
});

test("a port that is none becomes the usual one", () => {
  expect(validPort(9000)).toBe(9000);
  for (const wrong of [80, 70000, 8080.5, "8081", undefined]) expect(validPort(wrong)).toBe(8080);
});
