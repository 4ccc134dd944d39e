/** `ttdirect bench`, run for one number of users. */

import { l10n } from "vscode";
import { runBackend } from "../environment/backend";
import { commands } from "../ids";
import { Problem } from "../problem";
import type { LoadCase } from "./protocol";

/** How long new questions are sent, after one that warms up. Seconds. */
const measuredSeconds = 3;
/** A slow model has to finish what was asked; then something is wrong. */
const patienceSeconds = 600;

/** What is measured, and with what. */
export interface BenchChoice {
  /** The interpreter that has ttdirect. */
  readonly python: string;
  /** As `http://127.0.0.1:8080`. */
  readonly address: string;
  readonly users: number;
}

/** The command line after `ttdirect`. */
export function benchArguments({ address, users }: BenchChoice): readonly string[] {
  const sizes = { concurrency: users, "max-tokens": 64, seconds: measuredSeconds };
  return [
    ...["bench", "--url", address, "--json", "--no-wait", "--ignore-eos"],
    ...Object.entries(sizes).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ];
}

/**
 * Ask the server with so many users at once, and measure.
 *
 * @throws Problem when it cannot be measured; an AbortError when the signal says so, which closes
 *   the connections, so that the server stops as well.
 */
export async function bench(choice: BenchChoice, signal: AbortSignal): Promise<LoadCase> {
  const { stdout, stderr, isLate } = await runBackend({
    python: choice.python,
    words: benchArguments(choice),
    signal,
    limit: { seconds: patienceSeconds },
  });
  signal.throwIfAborted();
  if (isLate) {
    throw problemOf(l10n.t("it took more than {0} minutes", patienceSeconds / 60));
  }
  // Requests that failed make the exit code 1, but the figures are there.
  if (stdout.trim() === "") throw problemOf(stderr || l10n.t("it has printed nothing"));
  const measured = readCase(stdout);
  if (measured.answers > 0) return measured;
  throw new Problem(
    l10n.t("No request of the load test was answered."),
    l10n.t("Look at the server's terminal."),
  );
}

interface Printed {
  readonly cases?: readonly {
    readonly clients: number;
    readonly requests: number;
    readonly failures: Readonly<Record<string, number>>;
    readonly tokens_per_second: number;
    readonly tokens_per_second_per_user: number | null;
    readonly ttft_ms: { readonly p50: number | null };
    readonly itl_ms: { readonly p50: number | null };
  }[];
}

/**
 * The figures in what the command printed.
 *
 * @throws Problem when they are not there.
 */
export function readCase(printed: string): LoadCase {
  let found: NonNullable<Printed["cases"]>[number] | undefined;
  try {
    found = (JSON.parse(printed) as Printed).cases?.[0];
  } catch {
    // Said below.
  }
  if (!found) {
    throw new Problem(
      l10n.t("ttdirect bench printed no figures."),
      l10n.t("Install the newest ttdirect."),
      [{ title: l10n.t("Install"), command: commands.installFlask }],
    );
  }
  const seconds = (milliseconds: number | null): number | undefined =>
    milliseconds === null ? undefined : milliseconds / 1000;
  return {
    users: found.clients,
    tokensPerSecond: found.tokens_per_second,
    perUser: found.tokens_per_second_per_user ?? undefined,
    ttft: seconds(found.ttft_ms.p50),
    itl: seconds(found.itl_ms.p50),
    answers: found.requests,
    failures: Object.values(found.failures).reduce((sum, count) => sum + count, 0),
  };
}

/** The command's two lines, "error: what" and "fix: what to do"; else Python's last words. */
function problemOf(stderr: string): Problem {
  const lines = stderr.split("\n").map((line) => line.trim());
  const after = (mark: string): string | undefined =>
    lines.find((line) => line.startsWith(mark))?.slice(mark.length);
  const what = after("error: ") ?? lines.filter((line) => line !== "").at(-1) ?? "";
  const fix = after("fix: ");
  return new Problem(
    l10n.t("The load test could not run: {0}.", what.replace(/\.$/, "")),
    fix === undefined ? "" : `${fix.charAt(0).toUpperCase()}${fix.slice(1).replace(/\.$/, "")}.`,
  );
}
