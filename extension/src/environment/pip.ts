import type { DeviceKind } from "./device";
import type { PackageName, PythonFacts } from "./probe";

/** The backend's package, as it lies in the extension's folder. */
export interface Wheel {
  readonly file: string;
  readonly version: string;
}

/** What decides the arguments of pip. */
export interface PipPlan {
  readonly python: string;
  /** The program uv, which installs where there is no pip; undefined where there is one. */
  readonly uv: string | undefined;
  readonly wheel: Wheel;
  readonly device: DeviceKind;
  readonly platform: NodeJS.Platform;
  readonly hasTorch: boolean;
  /** Empty: only the usual package index. */
  readonly torchIndex: string;
  readonly pipArguments: readonly string[];
  /** Where pip writes what it does in full; `diagnose` reads it. */
  readonly logFile: string;
  /** Where the versions that must stay are written to. */
  readonly pinsFile: string;
}

/** The one wheel of ttdirect among the names of files; undefined for none or several. */
export function wheelAmong(
  names: readonly string[],
): { readonly name: string; readonly version: string } | undefined {
  const wheels = names.flatMap((name) => {
    const version = /^ttdirect-([^-]+)-.+\.whl$/.exec(name)?.[1];
    return version === undefined ? [] : [{ name, version }];
  });
  return wheels.length === 1 ? wheels[0] : undefined;
}

/** The command line that installs the server's packages. */
export function installCommand(plan: PipPlan): readonly [string, ...string[]] {
  // On a card, tt-metal's environment brings PyTorch and transformers in versions of its own.
  const wheel = plan.device === "cpu" ? `${plan.wheel.file}[cpu]` : plan.wheel.file;
  const needsTorch = plan.device === "cpu" && !plan.hasTorch;
  const index =
    needsTorch && plan.platform === "linux" && plan.torchIndex !== ""
      ? ["--extra-index-url", plan.torchIndex]
      : [];
  return [
    ...installerCommand(plan, "install"),
    // uv keeps no log.
    ...(plan.uv === undefined ? ["--disable-pip-version-check", "--log", plan.logFile] : []),
    ...(mustKeepVersions(plan) ? ["--constraint", plan.pinsFile] : []),
    wheel,
    "flask",
    ...index,
    ...plan.pipArguments,
  ];
}

/** Whether everything that is there has to stay as it is: tt-metal works with its own versions. */
export function mustKeepVersions({ device }: Pick<PipPlan, "device">): boolean {
  return device === "tenstorrent";
}

/**
 * The command line that prints what is there, for constraints: pip then refuses rather than changes.
 *
 * The rules are those of `install_command` in `ttdirect/cli/tt_metal.py`; a test compares the two.
 */
export function listCommand(plan: PipPlan): readonly [string, ...string[]] {
  return [...installerCommand(plan, "list"), "--format=freeze", "--exclude", "ttdirect"];
}

function installerCommand(
  { python, uv }: PipPlan,
  verb: "install" | "list",
): readonly [string, ...string[]] {
  return uv === undefined ? [python, "-m", "pip", verb] : [uv, "pip", verb, "--python", python];
}

/** The packages that the server lacks, `ttdirect` among them when its version is another. */
export function missingPackages(
  facts: PythonFacts,
  device: DeviceKind,
  version: string,
): readonly PackageName[] {
  const needed: PackageName[] = ["flask", "gunicorn", "ttdirect"];
  if (device === "cpu") needed.push("torch", "transformers");
  return needed.filter((name) =>
    name === "ttdirect" ? facts.packages.ttdirect !== version : !(name in facts.packages),
  );
}

/** Why pip failed: a cause with a name, or pip's own last error, or nothing to go by. */
export type PipFailure =
  | { readonly kind: "cancelled" }
  | { readonly kind: "diskFull" }
  | { readonly kind: "noNetwork" }
  | { readonly kind: "noPermission" }
  | { readonly kind: "noPackage"; readonly requirement: string }
  | { readonly kind: "externallyManaged" }
  | { readonly kind: "other"; readonly error: string | undefined };

const unreachable =
  /name resolution|Name or service not known|nodename nor servname|getaddrinfo failed|Network is unreachable|No route to host|Connection refused|ConnectTimeoutError|ConnectTimeout|ProxyError|NewConnectionError|Max retries exceeded/;

/**
 * The cause of a failure, from pip's log: its exit code is 1 for nearly all of them.
 *
 * The order matters: without a network, pip also says that it knows no such package.
 */
export function diagnose(log: string): PipFailure {
  if (log.includes("Operation cancelled by user")) return { kind: "cancelled" };
  if (/No space left on device|Disk quota exceeded/.test(log)) return { kind: "diskFull" };
  if (log.includes("externally-managed-environment")) return { kind: "externallyManaged" };
  if (unreachable.test(log)) return { kind: "noNetwork" };
  const requirement = /No matching distribution found for (.+)/.exec(log)?.[1];
  if (requirement !== undefined) return { kind: "noPackage", requirement: requirement.trim() };
  if (/Permission denied|Read-only file system/.test(log)) return { kind: "noPermission" };
  // Each line of the log begins with its time.
  const errors = [...log.matchAll(/^\S+ ERROR: (.+)$/gm)];
  return { kind: "other", error: errors.at(-1)?.[1]?.trim() };
}
