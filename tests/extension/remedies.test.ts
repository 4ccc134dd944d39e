/** The buttons under a server's failure, against the codes that the server gives its failures. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { guidePath, whatToDo } from "../../extension/src/server/guide";
import { remediesByCode, remediesFor } from "../../extension/src/server/remedies";
import { commands } from "../../extension/src/ids";
import { inProject } from "./walkthroughSteps";

class Uri {
  fragment = "";
  constructor(readonly path: string) {}
  static joinPath = (folder: Uri, name: string): Uri => new Uri(`${folder.path}/${name}`);
  with = (changes: object): Uri => Object.assign(new Uri(this.path), changes);
}

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  extensions: { getExtension: () => ({ extensionUri: new Uri("/extension") }) },
  Uri: { joinPath: (folder: Uri, name: string) => Uri.joinPath(folder, name) },
}));

/** Prints the codes: of `Failure("code", ...)` and its like, of `code, what = "code", ...`, of types. */
const listCodes = `
import ast, pathlib, re, sys
root = pathlib.Path(sys.argv[1])
explain = (root / "server/terminal.py").read_text()
boundary = re.search(r'code = re.sub\\(r"(.+)", "-", name\\)', explain)[1]
makers = ["Failure", "DeviceError", "_Known"]
names = ["MemoryError", "OutOfMemoryError"]
codes = set()
for path in root.rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text())):
        users = ("GeneratorError", "FixableError")
        if isinstance(node, ast.ClassDef) and any(u in ast.dump(b) for b in node.bases for u in users):
            names.append(node.name)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in makers and node.args:
            codes.add(getattr(node.args[0], "value", None))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            if getattr(node.targets[0].elts[0], "id", "") == "code":
                codes.add(node.value.elts[0].value)
codes |= {re.sub(boundary, "-", name.removesuffix("Error")).lower() for name in names}
print("\\n".join(sorted(code for code in codes if isinstance(code, str))))
`;

/** The extension's own: before the server can say anything itself. */
const own = ["missing-packages"];

/** What is put right outside of the editor, after which starting again is what helps. */
const elsewhere = [
  ...["gunicorn-settings", "settings", "unknown-precision", "no-such-device"],
  ...["no-chips", "no-permission", "no-sfpi", "hugepages", "driver-too-old", "system-too-old"],
  ...["device-failed", "device-hangs", "device-crashed", "device-in-use", "fabric-still-on"],
  ...["worker-ended", "renamed-setting", "card-setting"],
];

describe("the buttons under a failure", () => {
  const codes = execFileSync("python3", ["-c", listCodes, inProject("backend/ttdirect")], {
    encoding: "utf8",
  })
    .trim()
    .split("\n");

  it("are there for every failure that the server can tell, and for no other", () => {
    const known = [...Object.keys(remediesByCode), ...elsewhere];
    expect([...codes, ...own].filter((code) => !known.includes(code))).toEqual([]);
    const told = [...codes, ...own];
    expect(Object.keys(remediesByCode).filter((code) => !told.includes(code))).toEqual([]);
  });

  it("begin with what puts it right, and end with the terminal", () => {
    for (const code of Object.keys(remediesByCode)) {
      const remedies = remediesFor({ code, what: "It failed.", fix: "mend it" });
      expect(remedies.length, code).toBeGreaterThanOrEqual(2);
      expect(remedies.at(-1)?.command).toBe(commands.showServerTerminal);
    }
  });

  it("offer to start again when the reason is not known", () => {
    const remedies = remediesFor({ code: "new", what: "It failed.", fix: "mend it" });
    expect(remedies.map(({ title }) => title)).toEqual(["Start Again", "Show Terminal"]);
  });
});

describe("the guide behind a failure of a card", () => {
  /** As the backend words it, for every section that its guide has. */
  const words = `
import sys
sys.path.insert(0, sys.argv[1])
from ttdirect.device.errors import DeviceError
from ttdirect.device.guide import FILE, read_sections
print(FILE)
for name in read_sections():
    print(DeviceError("code", "what", "mend it", name).fix)
`;
  const [file = "", ...fixes] = execFileSync("python3", ["-E", "-c", words, inProject("backend")], {
    encoding: "utf8",
  })
    .trim()
    .split("\n");

  it("is the file of the backend, and packed", () => {
    expect(file).toBe(inProject(guidePath));
    expect(readFileSync(inProject(".vscodeignore"), "utf8").split("\n")).toContain(`!${guidePath}`);
  });

  it("opens at the section that the failure names", () => {
    const headings = readFileSync(file, "utf8").match(/^## .+$/gm) ?? [];
    expect(fixes.length).toBeGreaterThan(8);
    expect(fixes.length).toBe(headings.length);
    for (const [index, fix] of fixes.entries()) {
      const buttons = remediesFor({ code: "no-chips", what: "It failed.", fix });
      expect(buttons.map(({ title }) => title)).toEqual([
        ...["Start Again", "What To Do", "Show Terminal"],
      ]);
      const [guide] = buttons[1]?.arguments as readonly Uri[];
      expect(guide?.path).toBe(`/extension/${guidePath}`);
      expect(guide?.fragment).toBe(headings[index]?.slice(3).toLowerCase().replaceAll(" ", "-"));
    }
  });

  it("is not offered where nothing names it", () => {
    expect(whatToDo({ code: "settings", what: "It failed.", fix: "mend it" })).toBeUndefined();
  });
});
