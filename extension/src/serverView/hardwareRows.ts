import type { Board, Chip, Hardware, HardwareSeen } from "./hardware";
import { alarming, fact, type Row } from "./row";

/** So close to the temperature at which a chip turns itself off, a word is due. */
const nearCelsius = 5;

const reset = "End what uses it, then reset it in a terminal: tt-smi -r";

/** The section of the boards; none where there is no board. */
export function hardwareRows(seen: HardwareSeen): readonly Row[] {
  switch (seen.kind) {
    case "none":
      return [];
    case "unreadable":
      return [section("", [alarm("unreadable", "Cannot be read", seen.why)])];
    case "read":
      return [section(seen.hardware.system ?? "", partsOf(seen.hardware))];
  }
}

function section(description: string, children: readonly Row[]): Row {
  return {
    id: "hardware",
    icon: "circuit-board",
    label: "Hardware",
    description,
    tooltip: "The Tenstorrent boards of this computer, read every 10 seconds.",
    children,
  };
}

function partsOf({ boards, driver, holders, pci_cards }: Hardware): readonly Row[] {
  if (boards.length === 0) {
    const cards = pci_cards === 1 ? "A card is" : `${pci_cards} cards are`;
    const what = `${cards} on the PCI bus, but the driver does not run.`;
    return [alarm("driver", "No driver", `${what} Try: sudo modprobe tenstorrent`)];
  }
  const users = holders.map(({ pid, name }) =>
    pid === 0 ? "a process outside this container" : `${name || "process"} (${pid})`,
  );
  // One line for all: boards of a computer are flashed together, and a difference should show.
  const firmware = new Set(told(boards.flatMap(({ chips }) => chips.map((c) => c.firmware))));
  return [
    ...boards.map((board, index) => boardRow(board, index, boards.length)),
    fact("hardware/driver", "plug", "Driver", driver || "unknown version"),
    ...(firmware.size > 0
      ? [fact("hardware/firmware", "file-binary", "Firmware", [...firmware].join(", "))]
      : []),
    ...(users.length > 0 ? [fact("hardware/users", "account", "In use by", users.join(", "))] : []),
  ];
}

function boardRow(board: Board, index: number, count: number): Row {
  const id = `hardware/board${index}`;
  const label = count > 1 ? `${board.name} (${index})` : board.name;
  const trouble = troubleOf(board);
  if (trouble !== undefined) return alarm(`board${index}`, label, trouble);
  const { chips } = board;
  const [only] = chips;
  if (chips.length === 1 && only) return chipRow(id, "chip", label, only);
  return {
    id,
    icon: "chip",
    label,
    description: `${chips.length} chips`,
    children: chips.map((chip, number) =>
      chipRow(`${id}/chip${number}`, "circuit-board", `Chip ${number}`, chip),
    ),
  };
}

/** Temperature, power and clock in one line; the rest when somebody points at it. */
function chipRow(id: string, icon: string, label: string, chip: Chip): Row {
  const readings = told([
    amount(chip.temperature_celsius, "°C"),
    amount(chip.power_watts, "W"),
    amount(chip.ai_clock_mhz, "MHz"),
  ]).join(", ");
  const limit = chip.temperature_limit_celsius;
  const more = told([
    `${label}: ${readings}`,
    chip.firmware && `Firmware ${chip.firmware}`,
    chip.bus && `PCI address ${chip.bus}`,
    limit ? `Turns itself off at ${amount(limit, "°C")}` : "",
  ]);
  const row = fact(id, icon, label, readings, more.join("\n"));
  return isHot(chip) ? { ...row, ...alarming, description: `hot: ${readings}` } : row;
}

/** What is wrong with a board in one sentence, and what helps. */
function troubleOf({ chips }: Board): string | undefined {
  if (!chips.every((chip) => chip.answers))
    return `It does not answer: it hangs or starts up. ${reset}`;
  if (chips.some((chip) => chip.dram_trained === false))
    return `Its memory did not come up. ${reset}`;
  return undefined;
}

function isHot({ temperature_celsius: now, temperature_limit_celsius: limit }: Chip): boolean {
  // A limit of 0 is one that the firmware does not know.
  return now !== null && !!limit && now > limit - nearCelsius;
}

function alarm(id: string, label: string, what: string): Row {
  return { ...fact(`hardware/${id}`, "warning", label, what, what), ...alarming };
}

/** Empty where nothing was said. */
function amount(value: number | null, unit: string): string {
  return value === null ? "" : `${Math.round(value)} ${unit}`;
}

function told(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => text !== "");
}
