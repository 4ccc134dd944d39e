import { runBackend } from "./backend";
import { lastLine } from "./probe";

/** One model as `ttdirect models --json` tells it: what it is, and whether it would work here. */
export interface KnownModel {
  /** What `HF_MODEL` would say. */
  readonly id: string;
  /** `named` was asked for and is not here. */
  readonly origin: "shipped" | "cached" | "folder" | "recommended" | "named";
  /** Whether all its files are on this computer. */
  readonly is_here: boolean;
  readonly parameters: number | null;
  readonly download_bytes: number | null;
  /** Whether the hub gives it only to those who ask for it. */
  readonly needs_account: boolean;
  readonly fits: "yes" | "tight" | "no" | "unknown";
  /** Why it fits or does not, as the end of a sentence about the model. */
  readonly reason: string;
  /** Published for one request on this system. */
  readonly tokens_per_second: number | null;
}

/** The list opens without the backend's knowledge when it takes longer. */
const patienceSeconds = 10;

/**
 * Every model that the backend knows for this computer, and what it makes of those in `named`.
 *
 * @returns undefined when this Python has no ttdirect yet, or one that does not know the command.
 */
export async function readCatalogue(
  python: string,
  named: readonly string[],
): Promise<readonly KnownModel[] | undefined> {
  // A setting can hold anything; what looks like an option is no model.
  const words = ["models", "--json", ...named.filter((name) => !name.startsWith("-"))];
  const { code, stdout } = await runBackend({
    python,
    words,
    limit: { seconds: patienceSeconds },
  });
  return code === 0 ? parseCatalogue(stdout) : undefined;
}

/** The models in what the command printed; undefined when they are not there. */
export function parseCatalogue(printed: string): readonly KnownModel[] | undefined {
  try {
    const { models } = JSON.parse(lastLine(printed)) as { readonly models?: unknown };
    return Array.isArray(models) ? (models as readonly KnownModel[]) : undefined;
  } catch {
    return undefined;
  }
}
