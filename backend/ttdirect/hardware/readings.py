"""What was read from the hardware: chips, the boards that they sit on, and who uses them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ttdirect.hardware.boards import find_board, preset_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.hardware.boards import Board, Preset

Reader = Literal["tt-smi", "sysfs", "none"]


@dataclass(frozen=True)
class Chip:
    """One chip at one moment; None or an empty text where nothing was said.

    Args:
        card_type: board and chip in the words of the source: "n300 L", "p150a".
        bus: PCI address, such as "0000:01:00.0".
        board_id: serial number of the board, the same for all of its chips.
        temperature_celsius: of the chip.
        temperature_limit_celsius: where the chip turns itself off.
        power_watts: what the chip takes.
        voltage_volts: of the core.
        current_amperes: of the core.
        ai_clock_mhz: of the Tensix cores; low when idle.
        arc_clock_mhz: of the processor that manages the chip; only the driver tells.
        axi_clock_mhz: of the bus inside the chip; only the driver tells.
        dram_trained: whether the memory came up.
        firmware: version of the firmware bundle.
    """

    card_type: str = ""
    bus: str = ""
    board_id: str = ""
    temperature_celsius: float | None = None
    temperature_limit_celsius: float | None = None
    power_watts: float | None = None
    voltage_volts: float | None = None
    current_amperes: float | None = None
    ai_clock_mhz: float | None = None
    arc_clock_mhz: float | None = None
    axi_clock_mhz: float | None = None
    dram_trained: bool | None = None
    firmware: str = ""

    @property
    def answers(self) -> bool:
        """Whether its firmware tells anything: a chip that hangs does not."""
        return self.temperature_celsius is not None or self.ai_clock_mhz is not None


@dataclass(frozen=True)
class BoardReading:
    """One board and its chips.

    Args:
        card_type: what its first chip calls it, perhaps empty.
        board: its kind, None for one that we do not know.
        chips: those that were listed, which can be fewer than the board has.
    """

    card_type: str
    board: Board | None
    chips: tuple[Chip, ...]

    @property
    def name(self) -> str:
        """Its name for people."""
        return self.board.name if self.board else self.card_type or "unknown board"


@dataclass(frozen=True)
class Holder:
    """A process that has the device open; pid 0 is one outside this container."""

    pid: int
    name: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "a process outside this container"
        return f"{self.name or 'process'} ({self.pid})"


@dataclass(frozen=True)
class Hardware:
    """All that was found.

    Args:
        source: who was asked for the chips.
        driver: version of the kernel driver, empty if it is not loaded.
        boards: in the order of their chips.
        holders: processes that use the hardware now.
        pci_cards: PCI functions of Tenstorrent's, also those that no driver has taken.
        problem: why tt-smi could not be read, empty if it could or was not asked.
    """

    source: Reader
    driver: str = ""
    boards: tuple[BoardReading, ...] = ()
    holders: tuple[Holder, ...] = ()
    pci_cards: int = 0
    problem: str = ""

    @property
    def preset(self) -> Preset | None:
        """The system that the boards make up, None if tt-metal has no name for it."""
        boards = [reading.board for reading in self.boards if reading.board]
        return preset_of(boards) if len(boards) == len(self.boards) else None


def group(chips: Sequence[Chip], *, through_pcie: bool) -> tuple[BoardReading, ...]:
    """Return the boards that chips sit on, in the order in which they first appear.

    tt-smi lists every chip. The driver knows those on PCIe alone: one of an N300's two
    (`through_pcie`). A chip that hangs may not tell its type and is then shown as a board.
    """
    by_board: dict[str, list[Chip]] = {}
    for chip in chips:
        board = find_board(chip.card_type)
        by_board.setdefault(board.name if board else chip.card_type, []).append(chip)
    readings: list[BoardReading] = []
    for kind, members in by_board.items():
        board = find_board(kind)
        size = (board.pcie_chips if through_pcie else board.chips) if board else 1
        # By serial number, because a system may count the left chips before the right ones.
        # Sorting is stable, so without numbers neighbours belong together.
        order = {chip.board_id: place for place, chip in reversed(list(enumerate(members)))}
        ordered = iter(sorted(members, key=lambda chip: order[chip.board_id]))
        while batch := tuple(itertools.islice(ordered, size)):
            readings.append(BoardReading(batch[0].card_type, board, batch))
    return tuple(readings)
