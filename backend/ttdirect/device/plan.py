"""Which chips a server would use, how, and what room a model has there; nothing is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.device.fit import Room
from ttdirect.device.shape import MESH_DEVICE, choose_shape, part_of
from ttdirect.device.trace_region import trace_region_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.device.system import System


@dataclass(frozen=True)
class Plan:
    """A mesh to be opened.

    Args:
        shape: its rows and columns of chips.
        part: those of each part, which has a whole model.
        system: what MESH_DEVICE calls the chips of a part, or empty.
        trace_region_size: bytes of each chip for traces.
        room: what a part has for its model, None where the board is not known.
    """

    shape: tuple[int, int]
    part: tuple[int, int]
    system: str
    trace_region_size: int
    room: Room | None


def plan(
    system: System,
    model: str,
    *,
    shape: Sequence[int] | None = None,
    data_parallel: int = 1,
    trace_region_size: int | None = None,
) -> Plan:
    """Decide on the chips for a model.

    Args:
        system: the chips that there are.
        model: name on the hub, or a folder.
        shape: rows and columns of chips; None is what MESH_DEVICE says, else all chips.
        data_parallel: parts, each with a whole model.
        trace_region_size: bytes of each chip for traces; None is what is known for the model.

    Raises:
        DeviceError: there are no such chips, or they cannot be divided so.
    """
    named = os.environ.get(MESH_DEVICE, "") if system.is_card else ""
    chosen = choose_shape(shape, named, system)
    rows, columns = part = part_of(chosen, data_parallel)
    name = system.name_of(rows * columns)
    traces = trace_region_bytes(model, name) if trace_region_size is None else trace_region_size
    board = system.board
    room = Room(board, rows, columns, traces) if board is not None else None
    return Plan(chosen, part, name, traces, room)
