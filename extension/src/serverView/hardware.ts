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
  /** Who was asked for the chips: the driver's files ("sysfs") or "tt-smi". */
  readonly source: string;
  readonly driver: string;
  /** What the boards make up together, as MESH_DEVICE calls it. */
  readonly system: string | null;
  readonly boards: readonly Board[];
  readonly published: readonly Published[];
  readonly holders: readonly { readonly pid: number; readonly name: string }[];
  /** Also counts those that no driver has taken. */
  readonly pci_cards: number;
}

/** Whether there are boards of which nothing is told: they hang, or their driver is an old one. */
export function isSilent({ boards }: Hardware): boolean {
  return boards.length > 0 && boards.every(({ chips }) => chips.every((chip) => !chip.answers));
}

/** What there is to show: the boards, why they cannot be read, or nothing. */
export type HardwareSeen =
  | { readonly kind: "none" }
  | { readonly kind: "read"; readonly hardware: Hardware }
  | { readonly kind: "unreadable"; readonly why: string };
