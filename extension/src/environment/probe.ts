import { execFile } from "node:child_process";
import type { ExecFileException } from "node:child_process";
import * as os from "node:os";
import { l10n } from "vscode";
import type { DeviceKind } from "./device";

const probeSeconds = 20;
/** PyTorch's first import on a slow disk takes long. */
const importSeconds = 120;

const packageNames = ["flask", "gunicorn", "mcp", "ttdirect", "torch", "transformers"] as const;
export type PackageName = (typeof packageNames)[number];

/** What an interpreter said about itself. */
export interface PythonFacts {
  /** As `3.11.2`. */
  readonly version: string;
  /** `sys.executable`, which differs from the path that was asked for where that is a shim. */
  readonly executable: string;
  /** A virtual or conda environment, so what is installed into it concerns nobody else. */
  readonly isVirtual: boolean;
  /** The system's package manager owns it, and pip refuses to install into it (PEP 668). */
  readonly isExternallyManaged: boolean;
  readonly hasPip: boolean;
  /** Whether it can create virtual environments; Debian packs the modules for that apart. */
  readonly hasVenv: boolean;
  readonly hasTtnn: boolean;
  /** The versions of the packages that are installed. */
  readonly packages: Readonly<Partial<Record<PackageName, string>>>;
}

// As `-I`, but with the user's own site-packages, where pip installs what it may not write into
// the system's: `-E` drops PYTHONPATH and its kin, the first line drops the working directory.
const isolated = ["-E", "-c"] as const;
const withoutFolder = "import sys; sys.path[:] = [p for p in sys.path if p]";

// Old Pythons have to understand the text as far as the version, so that they can be named.
const program = `${withoutFolder}
import json, os
facts = {"version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable or ""}
if sys.version_info >= (3, 10):
    import sysconfig
    from importlib import metadata
    from importlib.util import find_spec
    conda = os.path.isdir(os.path.join(sys.prefix, "conda-meta"))
    virtual = conda or sys.prefix != sys.base_prefix
    marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    facts["isVirtual"] = virtual
    facts["isExternallyManaged"] = not virtual and os.path.isfile(marker)
    facts["hasPip"] = find_spec("pip") is not None
    facts["hasVenv"] = find_spec("venv") is not None and find_spec("ensurepip") is not None
    facts["hasTtnn"] = find_spec("ttnn") is not None
    facts["packages"] = {}
    for name in ${JSON.stringify(packageNames)}:
        try:
            facts["packages"][name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            pass
print(json.dumps(facts))
`;

/** An interpreter that could not be asked, or gave no answer. The message says why. */
export class ProbeError extends Error {
  override readonly name = "ProbeError";
}

/** Asks interpreters what they are, each one once until `invalidate()`. */
export class Probe {
  readonly #known = new Map<string, Promise<PythonFacts>>();

  /** @throws ProbeError when the program does not run or is no Python. */
  facts(interpreter: string): Promise<PythonFacts> {
    const known = this.#known.get(interpreter);
    if (known) return known;
    const asked = ask(interpreter);
    this.#known.set(interpreter, asked);
    // A failure may be gone at the next try. The caller of this first one hears of it.
    asked.catch(() => this.#known.delete(interpreter));
    return asked;
  }

  invalidate(): void {
    this.#known.clear();
  }
}

async function ask(interpreter: string): Promise<PythonFacts> {
  const answer = await runPython(interpreter, program, probeSeconds);
  if (answer.failure !== undefined) throw new ProbeError(answer.failure);
  return parseFacts(answer.stdout);
}

/**
 * The facts in the output of the probe.
 *
 * They are in its last line, because a `sitecustomize` or a `.pth` file may print before it.
 *
 * @throws ProbeError when they are not there.
 */
export function parseFacts(output: string): PythonFacts {
  const line = lastLine(output);
  let found: unknown;
  try {
    found = JSON.parse(line);
  } catch {
    throw new ProbeError(
      line === "" ? l10n.t("it printed nothing") : l10n.t('it printed "{0}"', line),
    );
  }
  if (typeof found !== "object" || found === null || !("version" in found)) {
    throw new ProbeError(l10n.t('it printed "{0}"', line));
  }
  // The text is our own program's, so its types are known; an old Python leaves the rest out.
  const facts = found as Partial<PythonFacts>;
  return {
    version: facts.version ?? "",
    executable: facts.executable ?? "",
    isVirtual: facts.isVirtual ?? false,
    isExternallyManaged: facts.isExternallyManaged ?? false,
    hasPip: facts.hasPip ?? false,
    hasVenv: facts.hasVenv ?? false,
    hasTtnn: facts.hasTtnn ?? false,
    packages: facts.packages ?? {},
  };
}

/** Whether the server runs on this version of Python: 3.10 and newer. */
export function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 10);
}

/**
 * Import what the server imports, which takes seconds where PyTorch is among it.
 *
 * @returns undefined when all is well, else the last line of Python's complaint.
 */
export async function checkImports(
  interpreter: string,
  device: DeviceKind,
): Promise<string | undefined> {
  const modules = ["flask", "gunicorn", "ttdirect.server", "ttdirect.engine"];
  if (device === "cpu") modules.push("ttdirect.generator");
  const text = `${withoutFolder}\nimport ${modules.join(", ")}`;
  const { failure } = await runPython(interpreter, text, importSeconds);
  return failure;
}

interface Answer {
  readonly stdout: string;
  /** Why the program did not end well; undefined when it did. */
  readonly failure: string | undefined;
}

function runPython(interpreter: string, text: string, seconds: number): Promise<Answer> {
  const options = { timeout: seconds * 1000, cwd: os.homedir(), killSignal: "SIGKILL" } as const;
  return new Promise((resolve) => {
    execFile(interpreter, [...isolated, text], options, (error, stdout, stderr) => {
      const failure = error ? explain(error, stderr, seconds) : undefined;
      resolve({ stdout, failure });
    });
  });
}

function explain(error: ExecFileException, stderr: string, seconds: number): string {
  if (error.killed) return l10n.t("it did not answer within {0} seconds", seconds);
  if (error.code === "EACCES") return l10n.t("it is not executable");
  return lastLine(stderr) || l10n.t("it failed ({0})", error.code ?? error.message);
}

export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1)?.trim() ?? "";
}
