import { l10n } from "vscode";
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
/** tt-smi has 20 seconds of its own. */
const ttSmiPatienceSeconds = 25;

/**
 * Have `ttdirect hardware` look at the boards, which disturbs no model that runs.
 *
 * @param asksTtSmi also ask tt-smi, if nobody uses the boards: it opens the chips and takes seconds.
 * @throws Error whose message says why that failed.
 */
export async function readHardware(
  python: string,
  served: Served | undefined,
  signal: AbortSignal,
  asksTtSmi = false,
): Promise<Hardware> {
  const which = served ? ["--model", served.model, "--system", served.device] : [];
  const words = ["hardware", "--json", ...(asksTtSmi ? ["--tt-smi"] : []), ...which];
  const seconds = asksTtSmi ? ttSmiPatienceSeconds : patienceSeconds;
  const limit = { seconds, isKilled: true };
  const answer = await runBackend({ python, words, signal, limit });
  signal.throwIfAborted();
  if (answer.isLate) {
    throw new Error(l10n.t("ttdirect hardware has not answered within {0} seconds.", seconds));
  }
  if (answer.code !== 0) throw new Error(explain(answer.stderr, answer.code));
  return parse(answer.stdout);
}

function explain(stderr: string, code: number | undefined): string {
  const said = lastLine(stderr);
  if (/No module named '?ttdirect/.test(said)) {
    return l10n.t(
      "ttdirect, which reads the boards, is not installed in the Python that was chosen.",
    );
  }
  if (said !== "") return said;
  return code === undefined
    ? l10n.t("ttdirect hardware was ended by a signal.")
    : l10n.t("ttdirect hardware has ended with {0}.", code);
}

function parse(text: string): Hardware {
  try {
    const found = JSON.parse(lastLine(text)) as Partial<Hardware>;
    if (Array.isArray(found.boards)) return { ...unknown, ...found };
  } catch {
    // Told below, with what was printed.
  }
  throw new Error(l10n.t('ttdirect hardware printed no description: "{0}"', lastLine(text)));
}

/** For what an older ttdirect does not tell. */
const unknown: Hardware = {
  source: "sysfs",
  driver: "",
  system: null,
  boards: [],
  published: [],
  holders: [],
  pci_cards: 0,
};
