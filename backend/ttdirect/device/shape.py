"""How many chips to open, and in which arrangement."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ttdirect.device.errors import DeviceError
from ttdirect.hardware.boards import PRESETS, find_preset

if TYPE_CHECKING:
    from collections.abc import Sequence

MESH_DEVICE = "MESH_DEVICE"
"""The variable of tt-metal's demos and of the vLLM plugin; the Generator itself reads no such."""

FIX_OF_TOO_LARGE = (
    f"set MESH_SHAPE in the script, or {MESH_DEVICE}, to chips that `tt-smi` shows, or unset both "
    "to use all of them"
)

_PAIR = re.compile(r"\(?\s*(\d+)\s*,\s*(\d+)\s*\)?")
_SECTION = "which-chips-are-opened"


def choose_shape(wanted: Sequence[int] | None, named: str, available: int) -> tuple[int, int]:
    """Return rows and columns: those of the script, else of MESH_DEVICE, else all chips in a row.

    Args:
        wanted: rows and columns from the script's settings.
        named: what MESH_DEVICE says, or empty.
        available: chips that this process can see.

    Raises:
        DeviceError: no shape is meant, or it has more chips than there are.
    """
    rows, columns = shape = _wanted_shape(wanted, named.strip()) or (1, available)
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
