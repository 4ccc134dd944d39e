"""Which device a new script should be written for."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Device = Literal["cpu", "cuda", "tenstorrent"]
"""`cuda` is an NVIDIA GPU; it has to be asked for and is never detected."""

DEVICE_FOLDER = Path("/dev/tenstorrent")


@dataclass(frozen=True)
class DetectedDevice:
    """A device and, in one sentence for people, why it was chosen."""

    device: Device
    reason: str


def detect_device() -> DetectedDevice:
    """Return the Tenstorrent device when driver, card and `ttnn` are here, else the CPU.

    Nothing is imported and no device is opened, so this is instant and safe while a model runs.
    """
    nodes = device_nodes()
    if not nodes:
        return DetectedDevice("cpu", f"No {DEVICE_FOLDER}, so the CPU answers.")
    if not has_ttnn():
        return DetectedDevice(
            "cpu", f"{nodes[0]} is here but ttnn is not in this Python, so the CPU answers."
        )
    return DetectedDevice(
        "tenstorrent", f"{nodes[0]} and ttnn are here, so the Tenstorrent device answers."
    )


def device_nodes() -> list[Path]:
    """Return the driver's device files, empty without a card or without its driver."""
    return sorted(DEVICE_FOLDER.glob("*"))


def has_ttnn() -> bool:
    """Return whether this Python could import `ttnn`."""
    # find_spec raises for a module that was put into sys.modules without a spec.
    return "ttnn" in sys.modules or importlib.util.find_spec("ttnn") is not None
