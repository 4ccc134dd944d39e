"""How many chips to open, in which arrangement, and how they are divided among models."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ttdirect.device.errors import DeviceError
from ttdirect.hardware.boards import PRESETS, find_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.device.system import System

MESH_DEVICE = "MESH_DEVICE"
"""The variable of tt-metal's demos and of the vLLM plugin; the Generator itself reads no such."""

FIX_OF_TOO_LARGE = (
    f"set MESH_SHAPE in the script, or {MESH_DEVICE}, to chips that `tt-smi` shows, or unset both "
    "to use all of them"
)

_PAIR = re.compile(r"\(?\s*(\d+)\s*,\s*(\d+)\s*\)?")
_SECTION = "which-chips-are-opened"


def choose_shape(wanted: Sequence[int] | None, named: str, system: System) -> tuple[int, int]:
    """Return rows and columns: those of the script, else of MESH_DEVICE, else of all chips.

    All chips are in the arrangement that tt-metal knows for them: one row, but 4 rows of 8 for the
    32 of a Galaxy. vllm-tt-plugin would take (1, 32) there, as tt-metal's demos do without
    MESH_DEVICE; but ModelArgs wants the key-value heads to divide the columns, and the models have
    8. (4, 8) is what the plugin's TG means, and what `create_submeshes` of 2026 arranges all
    Galaxies to before it divides them (tt-metal `tt/generator.py`); the demos' own TG is (8, 4).

    Args:
        wanted: rows and columns from the script's settings.
        named: what MESH_DEVICE says, or empty.
        system: the chips that this process can see.

    Raises:
        DeviceError: no shape is meant, or it has more chips than there are.
    """
    available = system.chips
    rows, columns = shape = _wanted_shape(wanted, named.strip()) or _shape_of_all(system)
    if rows * columns > available:
        visible = os.environ.get("TT_VISIBLE_DEVICES")
        hidden = f" TT_VISIBLE_DEVICES={visible} may hide some." if visible else ""
        raise DeviceError(
            "mesh-too-large",
            f"A mesh of shape ({rows}, {columns}) needs {rows * columns} chips, but {available} "
            f"are here.{hidden}",
            FIX_OF_TOO_LARGE,
            _SECTION,
        )
    return shape


def part_of(shape: tuple[int, int], parts: int) -> tuple[int, int]:
    """Return rows and columns of each part of a mesh, for a model of its own.

    tt-metal runs one model on chips in a line, and makes parts of 1 x n (`create_submeshes`).

    Args:
        shape: rows and columns of the mesh.
        parts: how many; one is the mesh itself.

    Raises:
        DeviceError: the rows of chips cannot be cut into so many equal pieces.
    """
    if parts == 1:
        return shape
    if parts in (possible := _possible_parts(shape)):
        return 1, shape[0] * shape[1] // parts
    others = f" or {', '.join(map(str, possible))}" if possible else ""
    raise DeviceError(
        "no-such-parts",
        f"A mesh of shape {shape} cannot be divided into {parts} equal pieces of its rows.",
        f"set DATA_PARALLEL in the script to 1{others}",
        _SECTION,
    )


def _possible_parts(shape: tuple[int, int]) -> list[int]:
    rows, columns = shape
    pieces_of_a_row = (n for n in range(1, columns + 1) if columns % n == 0)
    return [rows * pieces for pieces in pieces_of_a_row if rows * pieces > 1]


def _shape_of_all(system: System) -> tuple[int, int]:
    preset = find_preset(system.name_of(system.chips))
    return preset.shape if preset else (1, system.chips)


def _wanted_shape(wanted: Sequence[int] | None, named: str) -> tuple[int, int] | None:
    if wanted is not None:
        return _checked(wanted, f"MESH_SHAPE = {wanted!r}")
    if not named:
        return None
    if preset := find_preset(named):
        return preset.shape
    pair = _PAIR.fullmatch(named)
    return _checked([int(part) for part in pair.groups()] if pair else [], f"{MESH_DEVICE}={named}")


def _checked(shape: Sequence[int], source: str) -> tuple[int, int]:
    if len(shape) == 2 and min(shape) > 0:
        return shape[0], shape[1]
    raise DeviceError(
        "no-such-mesh",
        f"{source} is no mesh of chips.",
        f"use rows and columns such as (1, 2); {MESH_DEVICE} may also be one of "
        f"{', '.join(preset.name for preset in PRESETS)}",
        _SECTION,
    )
