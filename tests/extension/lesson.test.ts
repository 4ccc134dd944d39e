import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { ensure } from "../../extension/src/lesson/prerequisites";
import { sectionLine } from "../../extension/src/lesson/script";
import { argumentsFor } from "../../extension/src/lesson/serverSetup";
import { shellLine } from "../../extension/src/shell";

const asked = vi.hoisted(() => ({ what: "" }));

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  window: {
    showWarningMessage: (what: string, goal: string) => {
      asked.what = what;
      return Promise.resolve(goal);
    },
  },
}));

const template = "backend/ttdirect/script/tt-api-server-direct.py.template";

describe("the command line of the server", () => {
  it("is the script and its port", () => {
    expect(argumentsFor("script", "/home/ann/tt.py", "/home/ann", 8081)).toEqual([
      "/home/ann/tt.py",
      "--port",
      "8081",
    ]);
  });

  it("is what the script itself says about gunicorn", () => {
    const line = argumentsFor("gunicorn", "/home/ann/tt-api-server-direct.py", "/home/ann", 8080);
    const said = /gunicorn (.*)/.exec(readFileSync(template, "utf8"))?.[1];
    expect(line.slice(2).join(" ")).toBe(said?.replace("@@PORT@@", "8080"));
  });

  it("tells gunicorn where the script is when tt-metal's folder is the working one", () => {
    const line = argumentsFor("gunicorn", "/home/ann/tt.py", "/opt/tt-metal", 8080);
    expect(line).toContain("--pythonpath");
    expect(line[line.indexOf("--pythonpath") + 1]).toBe("/home/ann");
  });

  it.each(["plain/path-1.py", "with space", "it's", '$HOME "x" `y`', "back\\slash", "*?", "ü"])(
    "quotes %s so that a shell reads it literally",
    (word) => {
      const read = execFileSync("sh", ["-c", shellLine(["printf", "%s", word])], {
        encoding: "utf8",
      });
      expect(read).toBe(word);
    },
  );
});

describe("a section of the script", () => {
  it.each([1, 2, 3, 4, 5])("number %i is found by its heading", (section) => {
    const lines = readFileSync(template, "utf8").split("\n");
    expect(lines[sectionLine(lines.join("\n"), section)]).toMatch(`# ${section}. `);
  });

  it("that the user has removed leads to the beginning", () => {
    expect(sectionLine("import os\n", 3)).toBe(0);
  });
});

describe("what is missing", () => {
  it("is told in one question, and put right in order", async () => {
    const done: string[] = [];
    const lacking = (name: string) => ({
      missing: () => `There is no ${name}.`,
      isMet: () => Promise.resolve(false),
      meet: () => Promise.resolve(void done.push(name)),
    });
    await ensure([lacking("script"), lacking("server")], "Do It");
    expect(asked.what).toBe("There is no script. There is no server.");
    expect(done).toEqual(["script", "server"]);
  });

  it("is not asked about when nothing is", async () => {
    const met = {
      missing: () => "x",
      isMet: () => Promise.resolve(true),
      meet: () => Promise.reject(new Error("must not be met again")),
    };
    await expect(ensure([met, met], "Do It")).resolves.toBeUndefined();
  });
});
