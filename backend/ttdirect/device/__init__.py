"""A Tenstorrent device in use: opened as a mesh, given back in the right order, and why it fails.

`ttnn` is always handed in by the caller, so that the same code runs on a card, on the CPU's
stand-in, and in tests. Nothing here imports it, or anything else that is heavy.
"""

from ttdirect.device.errors import DeviceError
from ttdirect.device.failures import (
    crashed,
    hangs,
    hangs_in_loading,
    is_lost,
    recognise,
    without_backtrace,
)
from ttdirect.device.mesh import Mesh, open_mesh
from ttdirect.device.open_card import open_card

__all__ = [
    "DeviceError",
    "Mesh",
    "crashed",
    "hangs",
    "hangs_in_loading",
    "is_lost",
    "open_card",
    "open_mesh",
    "recognise",
    "without_backtrace",
]
