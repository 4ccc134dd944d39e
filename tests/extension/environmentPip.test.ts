import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { problemWithPip, writePins } from "../../extension/src/environment/install";
import {
  diagnose,
  installCommand,
  listCommand,
  missingPackages,
  wheelAmong,
} from "../../extension/src/environment/pip";
import type { PipPlan } from "../../extension/src/environment/pip";
import { parseFacts } from "../../extension/src/environment/probe";
import {
  creationCommand,
  ownFolder,
  questionFor,
} from "../../extension/src/environment/virtualEnvironment";
import { inProject } from "./walkthroughSteps";

const file = "/ext/dist/python/ttdirect-0.1.0-py3-none-any.whl";
const plan: PipPlan = {
  python: "/venv/bin/python",
  uv: undefined,
  wheel: { file, version: "0.1.0" },
  device: "cpu",
  platform: "linux",
  hasTorch: false,
  torchIndex: "https://torch.example/cpu",
  pipArguments: [],
  logFile: "/logs/pip.log",
  pinsFile: "/logs/pins.txt",
};
const pip = [
  ...["/venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check"],
  ...["--log", "/logs/pip.log"],
];
const card: PipPlan = { ...plan, device: "tenstorrent" };
const index = ["--extra-index-url", "https://torch.example/cpu"];

describe("the command line of pip", () => {
  test("on the CPU adds the extra, and PyTorch's index while PyTorch is missing", () => {
    expect(installCommand(plan)).toEqual([...pip, `${file}[cpu]`, "flask", ...index]);
  });

  test.each([
    ["PyTorch is there", { hasTorch: true }],
    ["the index is switched off", { torchIndex: "" }],
    ["the system is not Linux", { platform: "darwin" }],
  ] as const)("needs no index when %s", (_when, change) => {
    expect(installCommand({ ...plan, ...change })).toEqual([...pip, `${file}[cpu]`, "flask"]);
  });

  test("on a card leaves PyTorch to tt-metal, and every version as it is", () => {
    const pins = ["--constraint", "/logs/pins.txt"];
    expect(installCommand(card)).toEqual([...pip, ...pins, file, "flask"]);
  });

  test("is uv's where there is no pip", () => {
    expect(installCommand({ ...plan, uv: "/bin/uv", hasTorch: true })).toEqual([
      ...["/bin/uv", "pip", "install", "--python", "/venv/bin/python"],
      ...[`${file}[cpu]`, "flask"],
    ]);
  });

  test("ends with the user's own arguments, each one whole", () => {
    const pipArguments = ["--index-url", "https://pypi.example/a b"];
    expect(installCommand({ ...plan, pipArguments })).toEqual([
      ...pip,
      `${file}[cpu]`,
      "flask",
      ...index,
      ...pipArguments,
    ]);
  });
});

describe("in tt-metal's environment", () => {
  let folder: string;

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "tt-metal-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What `ttdirect doctor` tells a person to run for it, as the words of its two commands. */
  function toldByTheBackend(): readonly string[][] {
    const program = [
      "import sys, pathlib; sys.path.insert(0, sys.argv[1])",
      "from ttdirect.cli.tt_metal import TtMetal",
      "print(TtMetal(pathlib.Path(sys.argv[2]), 'a test').install_command())",
    ].join("\n");
    const words = ["-E", "-c", program, inProject("backend"), folder];
    const told = execFileSync("python3", words, { encoding: "utf8" });
    return told.split("&&").map((command) => command.trim().split(" "));
  }

  test.each([
    ["pip", ["pip"], undefined],
    ["uv", [], "uv"],
  ])("packages are listed and installed by %s as the backend says", (_name, packages, uv) => {
    const own = join(folder, "python_env");
    for (const name of ["ttnn-0.61.0.dist-info", ...packages]) {
      mkdirSync(join(own, "lib/python3.12/site-packages", name), { recursive: true });
    }
    const python = join(own, "bin", "python");
    const pinsFile = join(own, "pins.txt");
    const [list, install] = toldByTheBackend();
    const here = { ...card, python, pinsFile, uv };
    expect([...listCommand(here), ">", pinsFile]).toEqual(list);
    // The backend's last word is the requirement; what it does not say is for the editor's sake.
    const shared = installCommand(here).filter((word) => install?.includes(word));
    expect([...shared, install?.at(-1)]).toEqual(install);
  });

  test("what must stay is written down before anything is installed", async () => {
    const python = program("echo numpy==1.26.4; echo torch==2.7.1");
    const pinsFile = join(folder, "pins.txt");
    await writePins({ ...card, python, pinsFile });
    expect(readFileSync(pinsFile, "utf8")).toBe("numpy==1.26.4\ntorch==2.7.1\n");
  });

  test("nothing is installed when that cannot be told", async () => {
    const python = program("echo 'No module named pip' >&2; exit 1");
    const writing = writePins({ ...card, python, pinsFile: join(folder, "pins.txt") });
    await expect(writing).rejects.toThrow(/^Nothing was installed.* No module named pip /);
  });

  /** A program in the interpreter's place. */
  function program(script: string): string {
    const file_ = join(folder, "python");
    writeFileSync(file_, `#!/bin/sh\n${script}\n`);
    chmodSync(file_, 0o755);
    return file_;
  }
});

test("there is one wheel, or none to be trusted", () => {
  const name = "ttdirect-0.1.0-py3-none-any.whl";
  expect(wheelAmong([name, "README"])).toEqual({ name, version: "0.1.0" });
  expect(wheelAmong([])).toBeUndefined();
  expect(wheelAmong([name, "ttdirect-0.2.0-py3-none-any.whl"])).toBeUndefined();
});

describe("what is missing", () => {
  const withPackages = (packages: Record<string, string>) =>
    parseFacts(JSON.stringify({ version: "3.12.0", packages }));
  const served = { flask: "3.1.0", gunicorn: "23.0.0", ttdirect: "0.1.0" };

  test("on the CPU is PyTorch and transformers too", () => {
    expect(missingPackages(withPackages(served), "cpu", "0.1.0")).toEqual([
      "torch",
      "transformers",
    ]);
    const complete = { ...served, torch: "2.7.1", transformers: "5.0.0" };
    expect(missingPackages(withPackages(complete), "cpu", "0.1.0")).toEqual([]);
  });

  test("on a card is what serves", () => {
    expect(missingPackages(withPackages(served), "tenstorrent", "0.1.0")).toEqual([]);
    expect(missingPackages(withPackages({}), "tenstorrent", "0.1.0")).toEqual([
      "flask",
      "gunicorn",
      "ttdirect",
    ]);
  });

  test("is ttdirect when its version is another", () => {
    expect(missingPackages(withPackages(served), "tenstorrent", "0.2.0")).toEqual(["ttdirect"]);
  });
});

describe("a failure of pip", () => {
  const line = (text: string) => `2026-11-22T14:00:00,123 ${text}\n`;
  const noPackage = line("ERROR: No matching distribution found for flask>=3.0");

  test.each([
    [line("ERROR: Operation cancelled by user"), { kind: "cancelled" }],
    [line("OSError: [Errno 28] No space left on device"), { kind: "diskFull" }],
    [line("Temporary failure in name resolution") + noPackage, { kind: "noNetwork" }],
    [noPackage, { kind: "noPackage", requirement: "flask>=3.0" }],
    [line("[Errno 13] Permission denied: '/usr'"), { kind: "noPermission" }],
    [line("error: externally-managed-environment"), { kind: "externallyManaged" }],
    [line("ERROR: one") + line("ERROR: two"), { kind: "other", error: "two" }],
    ["", { kind: "other", error: undefined }],
  ])("is known from its log: %j", (log, failure) => {
    expect(diagnose(log)).toEqual(failure);
  });

  test("is told with its cause and the terminal", () => {
    const problem = problemWithPip({ kind: "other", error: "bad wheel" }, "/p", 1);
    expect(problem.what).toBe("The packages were not installed. pip says: bad wheel");
    expect(problem.remedies.map(({ title }) => title)).toEqual(["Show Terminal", "Try Again"]);
    expect(problemWithPip({ kind: "other", error: undefined }, "/p", 2).what).toContain("code 2");
  });
});

describe("a virtual environment", () => {
  const facts = (found: object) => parseFacts(JSON.stringify({ version: "3.12.0", ...found }));

  test("is no question for a Python that is one", () => {
    expect(questionFor("/venv/bin/python", facts({ isVirtual: true }))).toBeUndefined();
  });

  test("is offered, and the Python itself only if nobody else owns it", () => {
    expect(questionFor("/opt/python", facts({}))?.answers).toEqual([
      "Create a Virtual Environment",
      "Install Anyway",
    ]);
    expect(questionFor("/usr/bin/python3", facts({ isExternallyManaged: true }))?.answers).toEqual([
      "Create a Virtual Environment",
    ]);
  });

  test("sees the system's ttnn, so that the card is not lost", () => {
    expect(creationCommand("/p", false)).toEqual(["/p", "-m", "venv", "--clear", ownFolder]);
    expect(creationCommand("/p", true)).toContain("--system-site-packages");
  });
});
