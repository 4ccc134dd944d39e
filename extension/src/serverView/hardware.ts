import { execFile } from "node:child_process";
import type { ExecFileException } from "node:child_process";
import * as os from "node:os";
import { lastLine } from "../environment/probe";

/** One chip; null or empty where nothing was said. */
export interface Chip {
  readonly bus: string;
  readonly temperature_celsius: number | null;
  readonly temperature_limit_celsius: number | null;
  readonly power_watts: number | null;
  readonly ai_clock_mhz: number | null;
  readonly dram_trained: boolean | null;
  readonly firmware: string;
  /** A chip that hangs does not. */
  readonly answers: boolean;
}

export interface Board {
  readonly name: string;
  readonly chips: readonly Chip[];
}

/** A speed that somebody published for the model that runs, on the system that it runs on. */
export interface Published {
  readonly system: string;
  /** Requests at the same time, and tokens per second of each of them. */
  readonly batch: number;
  readonly tokens_per_second: number;
  readonly source: { readonly where: string; readonly state: string };
}

/** What `ttdirect hardware --json` prints, as far as it is shown. */
export interface Hardware {
  readonly driver: string;
  /** What the boards make up together, as MESH_DEVICE calls it. */
  readonly system: string | null;
  readonly boards: readonly Board[];
  readonly published: readonly Published[];
  readonly holders: readonly { readonly pid: number; readonly name: string }[];
  /** Also counts those that no driver has taken. */
  readonly pci_cards: number;
}

/** The model that a server has loaded, and where. */
export interface Served {
  readonly model: string;
  readonly device: string;
}

/** What there is to show: the boards, why they cannot be read, or nothing. */
export type HardwareSeen =
  | { readonly kind: "none" }
  | { readonly kind: "read"; readonly hardware: Hardware }
  | { readonly kind: "unreadable"; readonly why: string };

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
  return parse(await run(python, ["-m", "ttdirect", "hardware", "--json", ...which], signal));
}

function run(program: string, words: readonly string[], signal: AbortSignal): Promise<string> {
  const options = {
    timeout: patienceSeconds * 1000,
    killSignal: "SIGKILL",
    cwd: os.homedir(),
    signal,
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, words, options, (error, stdout, stderr) => {
      if (error) reject(new Error(explain(error, stderr)));
      else resolve(stdout);
    });
  });
}

/** Knows whether there is a board to look after, and goes on looking while it does not answer. */
export class HardwareWatch {
  #hasBoard = false;
  #isWithout = false;

  /**
   * @param nodes the driver's device files.
   * @param read looks at the boards.
   */
  constructor(
    readonly nodes: () => Promise<readonly string[]>,
    readonly read: (signal: AbortSignal) => Promise<Hardware>,
  ) {}

  /** Look once. A computer without a board is asked only whether a driver has come. */
  async look(signal: AbortSignal): Promise<HardwareSeen> {
    const hasNode = (await this.nodes()).length > 0;
    if (this.#isWithout && !hasNode) return { kind: "none" };
    let hardware: Hardware;
    try {
      hardware = await this.read(signal);
    } catch (error) {
      if (!hasNode && !this.#hasBoard) {
        // Without a board, a Python that lacks ttdirect is nothing that this view should tell.
        this.#isWithout = !signal.aborted;
        return { kind: "none" };
      }
      return { kind: "unreadable", why: error instanceof Error ? error.message : String(error) };
    }
    if (hardware.boards.length + hardware.pci_cards > 0) {
      this.#hasBoard = true;
      return { kind: "read", hardware };
    }
    this.#isWithout = !this.#hasBoard;
    if (this.#isWithout) return { kind: "none" };
    return { kind: "unreadable", why: "The board is gone. After a reset it comes back here." };
  }

  /** Ask in full at the next look, also where there was nothing. */
  forget(): void {
    this.#isWithout = false;
  }
}

function explain(error: ExecFileException, stderr: string): string {
  if (error.killed && error.name !== "AbortError") {
    return `ttdirect hardware has not answered within ${patienceSeconds} seconds.`;
  }
  const said = lastLine(stderr) || error.message;
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
