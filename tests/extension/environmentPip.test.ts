import { describe, expect, test } from "vitest";
import { problemWithPip } from "../../extension/src/environment/install";
import {
  diagnose,
  installCommand,
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

const file = "/ext/dist/python/ttdirect-0.1.0-py3-none-any.whl";
const plan: PipPlan = {
  python: "/venv/bin/python",
  wheel: { file, version: "0.1.0" },
  device: "cpu",
  platform: "linux",
  hasTorch: false,
  torchIndex: "https://torch.example/cpu",
  pipArguments: [],
  logFile: "/logs/pip.log",
};
const pip = [
  ...["/venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check"],
  ...["--log", "/logs/pip.log"],
];
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

  test("on a card leaves PyTorch to tt-metal", () => {
    expect(installCommand({ ...plan, device: "tenstorrent" })).toEqual([...pip, file, "flask"]);
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
