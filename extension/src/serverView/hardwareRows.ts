import { l10n } from "vscode";
import type { Board, Chip, Hardware, HardwareSeen } from "./hardware";
import { alarming, fact, type Row } from "./row";

/** So close to the temperature at which a chip turns itself off, a word is due. */
const nearCelsius = 5;

/** The section of the boards; none where there is no board. */
export function hardwareRows(seen: HardwareSeen): readonly Row[] {
  switch (seen.kind) {
    case "none":
      return [];
    case "unreadable":
      return [section("", [alarm("unreadable", l10n.t("Cannot be read"), seen.why)], "sysfs")];
    case "read":
      return [section(seen.hardware.system ?? "", partsOf(seen.hardware), seen.hardware.source)];
  }
}

function section(description: string, children: readonly Row[], source: string): Row {
  return {
    id: "hardware",
    icon: "circuit-board",
    label: l10n.t("Hardware"),
    description,
    tooltip:
      source === "tt-smi"
        ? l10n.t(
            "The Tenstorrent boards of this computer. Their driver tells nothing, so tt-smi is asked once a minute.",
          )
        : l10n.t("The Tenstorrent boards of this computer, read every 10 seconds."),
    children,
  };
}

function partsOf({ boards, driver, holders, pci_cards }: Hardware): readonly Row[] {
  if (boards.length === 0) {
    const what =
      pci_cards === 1
        ? l10n.t("A card is on the PCI bus, but the driver does not run.")
        : l10n.t("{0} cards are on the PCI bus, but the driver does not run.", pci_cards);
    const fix = l10n.t("Try: {0}", "sudo modprobe tenstorrent");
    return [alarm("driver", l10n.t("No driver"), `${what} ${fix}`)];
  }
  const users = holders.map(({ pid, name }) =>
    pid === 0
      ? l10n.t("a process outside this container")
      : `${name || l10n.t("process")} (${pid})`,
  );
  // One line for all: boards of a computer are flashed together, and a difference should show.
  const firmware = new Set(told(boards.flatMap(({ chips }) => chips.map((c) => c.firmware))));
  return [
    ...boards.map((board, index) => boardRow(board, index, boards.length)),
    fact("hardware/driver", "plug", l10n.t("Driver"), driver || l10n.t("unknown version")),
    ...(firmware.size > 0
      ? [fact("hardware/firmware", "file-binary", l10n.t("Firmware"), [...firmware].join(", "))]
      : []),
    ...(users.length > 0
      ? [fact("hardware/users", "account", l10n.t("In use by"), users.join(", "))]
      : []),
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
    description: l10n.t("{0} chips", chips.length),
    children: chips.map((chip, number) =>
      chipRow(`${id}/chip${number}`, "circuit-board", l10n.t("Chip {0}", number), chip),
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
    chip.firmware && l10n.t("Firmware {0}", chip.firmware),
    chip.bus && l10n.t("PCI address {0}", chip.bus),
    limit ? l10n.t("Turns itself off at {0}", amount(limit, "°C")) : "",
  ]);
  const row = fact(id, icon, label, readings, more.join("\n"));
  return isHot(chip) ? { ...row, ...alarming, description: l10n.t("hot: {0}", readings) } : row;
}

/** What is wrong with a board in one sentence, and what helps. */
function troubleOf({ chips }: Board): string | undefined {
  const reset = l10n.t("End what uses it, then reset it in a terminal: {0}", "tt-smi -r");
  if (!chips.every((chip) => chip.answers)) {
    return `${l10n.t("It does not answer: it hangs or starts up.")} ${reset}`;
  }
  if (chips.some((chip) => chip.dram_trained === false)) {
    return `${l10n.t("Its memory did not come up.")} ${reset}`;
  }
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
