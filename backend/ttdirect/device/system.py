"""Which chips there are, in the words of the table of boards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.hardware.boards import PRESETS, find_board, find_preset

if TYPE_CHECKING:
    from ttdirect.hardware.boards import Board
    from ttdirect.hardware.readings import Hardware


@dataclass(frozen=True)
class System:
    """The chips that this process can open.

    Args:
        chips: how many.
        cluster: ttnn's name for them all ("N300", "T3K", "P150_X4"), empty where it has none.
        is_card: whether these are chips, and not the CPU's stand-in for one.
    """

    chips: int
    cluster: str
    is_card: bool

    @property
    def board(self) -> Board | None:
        """The kind of board that the chips are on; None on the CPU, and for unknown ones."""
        preset = find_preset(self.cluster.replace("_X", "x"))
        if preset is not None:
            return preset.board
        return find_board(self.cluster) or find_board(self.cluster.partition("_")[0])

    def name_of(self, chips: int) -> str:
        """What MESH_DEVICE calls so many of these chips, empty where it has no name for them.

        tt-metal's ModelArgs, too, goes by architecture and number: one chip of an N300 is an N150.
        """
        board = self.board
        if board is None:
            return ""
        own = [preset for preset in PRESETS if preset.chips == chips]
        alike = [preset for preset in own if preset.board.architecture == board.architecture]
        same = [preset for preset in alike if preset.board == board]
        return next((preset.name for preset in (*same, *alike)), "")


def is_card(ttnn: Any) -> bool:
    """Return whether this is ttnn, and not the CPU's stand-in; starts nothing."""
    return hasattr(ttnn, "get_arch_name")


def look_at(ttnn: Any) -> System:
    """Ask ttnn what is there; this starts its driver, but opens no device.

    Raises:
        RuntimeError: there are no chips, or TT_VISIBLE_DEVICES names one that is not there.
    """
    chips = int(ttnn.get_num_devices())
    # The CPU's stand-in has no clusters, and ttnn before mid-2025 none either.
    cluster = getattr(ttnn, "cluster", None)
    name = cluster.get_cluster_type().name if cluster else ""
    return System(chips, name, is_card=is_card(ttnn))


def system_of(hardware: Hardware) -> System:
    """Return what ttnn would say of boards that tt-smi or the driver has shown."""
    boards = [reading.board for reading in hardware.boards if reading.board]
    preset = hardware.preset
    name = preset.name if preset else boards[0].name if boards else ""
    return System(sum(board.chips for board in boards), name, is_card=True)
