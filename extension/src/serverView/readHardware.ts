import { runBackend } from "../environment/backend";
import { lastLine } from "../environment/probe";
import type { Hardware } from "./hardware";

/** The model that a server has loaded, and where. */
export interface Served {
  readonly model: string;
  readonly device: string;
}

/** Longer than a healthy computer ever takes; a wedged board can let a read hang. */
const patienceSeconds = 5;

/**
 * Have `ttdirect hardware` look at the boards, which disturbs no model that runs.
 *
 * @throws Error whose message says why that failed.
 */
export async function readHardware(
  python: string,
  served: Served | undefined,
  signal: AbortSignal,
): Promise<Hardware> {
  const which = served ? ["--model", served.model, "--system", served.device] : [];
  const words = ["hardware", "--json", ...which];
  const limit = { seconds: patienceSeconds, isKilled: true };
  const answer = await runBackend({ python, words, signal, limit });
  signal.throwIfAborted();
  if (answer.isLate) {
    throw new Error(`ttdirect hardware has not answered within ${patienceSeconds} seconds.`);
  }
  if (answer.code !== 0) throw new Error(explain(answer.stderr, answer.code));
  return parse(answer.stdout);
}

function explain(stderr: string, code: number | undefined): string {
  const said = lastLine(stderr) || `ttdirect hardware has ended with ${code ?? "a signal"}.`;
  return /No module named '?ttdirect/.test(said)
    ? "ttdirect, which reads the boards, is not installed in the Python that was chosen."
    : said;
}

function parse(text: string): Hardware {
  try {
    const found = JSON.parse(lastLine(text)) as Partial<Hardware>;
    if (Array.isArray(found.boards)) return { ...unknown, ...found };
  } catch {
    // Told below, with what was printed.
  }
  throw new Error(`ttdirect hardware printed no description: "${lastLine(text)}"`);
}

/** For what an older ttdirect does not tell. */
const unknown: Hardware = {
  driver: "",
  system: null,
  boards: [],
  published: [],
  holders: [],
  pci_cards: 0,
};
