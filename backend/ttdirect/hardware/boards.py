"""The table of Tenstorrent's boards: chips, architecture, DRAM, and what MESH_DEVICE calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Architecture = Literal["wormhole_b0", "blackhole"]
"""As `ttnn.get_arch_name()` says it."""

_GIB = 1 << 30
# `dram_view_size` of blackhole_140_arch.yaml in the ttnn 0.81.1 wheel; 16 MiB less than 4 GiB.
_BLACKHOLE_BANK = 4_278_190_080
# ttnn keeps the start of every bank. What is left is what `get_memory_view` says for mock clusters
# of an N150 and a P100; a P150 has 0.9 MB a bank more (tests/python/device/test_real_ttnn.py).
_RESERVED_PER_BANK: dict[Architecture, int] = {
    "wormhole_b0": _GIB - 1_068_523_456,
    "blackhole": _BLACKHOLE_BANK - 4_269_997_952,
}


@dataclass(frozen=True)
class Board:
    """One kind of board.

    Args:
        name: as tt-metal writes it, such as "N300".
        architecture: of its chips.
        chips: on the board.
        pcie_chips: of them, those that the driver sees; the others hang on their neighbour's
            ethernet.
        dram_banks: of each chip.
        bank_bytes: size of a bank.
    """

    name: str
    architecture: Architecture
    chips: int
    pcie_chips: int
    dram_banks: int
    bank_bytes: int

    @property
    def dram_bytes_per_chip(self) -> int:
        """What ttnn can hand out on one chip, in bytes, before a trace region is taken off."""
        return self.dram_banks * (self.bank_bytes - _RESERVED_PER_BANK[self.architecture])

    @property
    def dram_bytes(self) -> int:
        """What ttnn can hand out on the whole board, in bytes."""
        return self.chips * self.dram_bytes_per_chip


# A Galaxy is a server; its 32 chips are listed here like one board, because they come as one.
BOARDS: tuple[Board, ...] = (
    Board("N150", "wormhole_b0", 1, 1, 12, _GIB),
    Board("N300", "wormhole_b0", 2, 1, 12, _GIB),
    Board("P100", "blackhole", 1, 1, 7, _BLACKHOLE_BANK),
    Board("P150", "blackhole", 1, 1, 8, _BLACKHOLE_BANK),
    Board("P300", "blackhole", 2, 2, 8, _BLACKHOLE_BANK),
    Board("GALAXY", "wormhole_b0", 32, 32, 12, _GIB),
    Board("BLACKHOLE_GALAXY", "blackhole", 32, 32, 8, _BLACKHOLE_BANK),
)

_BY_NAME = {board.name: board for board in BOARDS}

# tt-smi, the driver and UMD each have names of their own for the servers.
_OTHER_NAMES = {
    "tt-galaxy-wh": "GALAXY",
    "galaxy-wormhole": "GALAXY",
    "ubb_wormhole": "GALAXY",
    "wh_4u": "GALAXY",
    "tt-galaxy-bh": "BLACKHOLE_GALAXY",
    "galaxy-blackhole": "BLACKHOLE_GALAXY",
    "ubb_blackhole": "BLACKHOLE_GALAXY",
}


@dataclass(frozen=True)
class Preset:
    """A system that tt-metal knows by name.

    Args:
        name: what MESH_DEVICE calls it.
        shape: rows and columns of its mesh.
        board: what it is made of.
        count: so many boards of it.
    """

    name: str
    shape: tuple[int, int]
    board: Board
    count: int

    @property
    def chips(self) -> int:
        """All chips of the mesh."""
        return self.shape[0] * self.shape[1]

    @property
    def dram_bytes(self) -> int:
        """What ttnn can hand out on all chips together, in bytes."""
        return self.chips * self.board.dram_bytes_per_chip


def _preset(name: str, shape: tuple[int, int], board: str, count: int) -> Preset:
    return Preset(name, shape, _BY_NAME[board], count)


# vllm-tt-plugin @ e3fc849, utils/dp_discovery.py. A T3K is a LoudBox or QuietBox of four N300.
PRESETS: tuple[Preset, ...] = (
    _preset("N150", (1, 1), "N150", 1),
    _preset("N150x4", (1, 4), "N150", 4),
    _preset("N300", (1, 2), "N300", 1),
    _preset("T3K", (1, 8), "N300", 4),
    _preset("TG", (4, 8), "GALAXY", 1),
    _preset("P100", (1, 1), "P100", 1),
    _preset("P150", (1, 1), "P150", 1),
    _preset("P150x2", (1, 2), "P150", 2),
    _preset("P150x4", (1, 4), "P150", 4),
    _preset("P150x8", (1, 8), "P150", 8),
    _preset("P300", (1, 2), "P300", 1),
    _preset("P300x2", (1, 4), "P300", 2),
    _preset("BH-Galaxy", (4, 8), "BLACKHOLE_GALAXY", 1),
)


def find_board(card_type: str) -> Board | None:
    """Return the board that tt-smi or the driver means, None for one that we do not know.

    tt-smi says "n300 L" and "n300 R" for the two chips of an N300; both it and the driver put a
    letter for the cooling behind Blackhole's names ("p150a", "p300c").
    """
    words = card_type.strip().lower().split()
    if not words:
        return None
    name = _OTHER_NAMES.get(words[0]) or re.sub(r"^([np]\d+)[a-z]$", r"\1", words[0]).upper()
    return _BY_NAME.get(name)


def find_preset(name: str) -> Preset | None:
    """Return the system that MESH_DEVICE calls `name`; case does not matter."""
    return next((preset for preset in PRESETS if preset.name.lower() == name.lower()), None)


def preset_of(boards: Sequence[Board]) -> Preset | None:
    """Return the system that these boards make up, None if tt-metal has no name for it."""
    return next(
        (preset for preset in PRESETS if [preset.board] * preset.count == list(boards)), None
    )
