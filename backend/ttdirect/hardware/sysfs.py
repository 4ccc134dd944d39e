"""What the kernel driver shows in files: safe to read while a model runs, and fast."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ttdirect.hardware.readings import Chip, Holder

_VENDOR = "0x1e52"

_ALL_ONES_16, _ALL_ONES_32 = 0xFFFF, 0xFFFFFFFF
"""What PCIe answers for a chip that has gone: every bit is set, in fields of 16 bits or 32."""


@dataclass(frozen=True)
class Roots:
    """Where the kernel's file systems are; tests have others."""

    sys: Path = Path("/sys")
    dev: Path = Path("/dev")
    proc: Path = Path("/proc")


THIS_COMPUTER = Roots()


def device_nodes(roots: Roots) -> list[Path]:
    """Return the driver's device files, one for each chip on PCIe, by number."""
    try:
        nodes = [node for node in (roots.dev / "tenstorrent").iterdir() if node.name.isdecimal()]
    except OSError:
        return []
    return sorted(nodes, key=lambda node: int(node.name))


def read_chips(roots: Roots) -> list[Chip]:
    """Return the chips behind the device files, so in a container only those that it was given."""
    return [_chip(_class_folder(node, roots)) for node in device_nodes(roots)]


def driver_version(roots: Roots) -> str:
    """Return the version of the loaded driver, empty without one."""
    return _text(roots.sys / "module" / "tenstorrent" / "version")


def count_pci_cards(roots: Roots) -> int:
    """Return how many PCI functions are Tenstorrent's, with a driver or without."""
    vendors = (roots.sys / "bus" / "pci" / "devices").glob("*/vendor")
    return sum(_text(vendor).lower() == _VENDOR for vendor in vendors)


def holders(roots: Roots) -> list[Holder]:
    """Return the other processes that have a chip open, each once.

    The driver writes 0 for a process that lives outside this container.
    """
    pids: dict[int, None] = {}
    for file in sorted((roots.proc / "driver" / "tenstorrent").glob("*/pids")):
        pids.update(dict.fromkeys(int(pid) for pid in re.findall(r"\d+", _text(file))))
    pids.pop(os.getpid(), None)
    return [Holder(pid, _text(roots.proc / str(pid) / "comm") if pid else "") for pid in pids]


def _class_folder(node: Path, roots: Roots) -> Path:
    """Return the folder of a device file's attributes.

    Through the device's number, because a container may have been given chip 3 as number 0.
    """
    number = _device_number(node)
    if number is not None:
        folder = roots.sys / "dev" / "char" / number
        if folder.exists():
            return folder
    return roots.sys / "class" / "tenstorrent" / f"tenstorrent!{node.name}"


def _device_number(node: Path) -> str | None:
    try:
        status = node.stat()
    except OSError:
        return None
    if not stat.S_ISCHR(status.st_mode):
        return None
    return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"


def _chip(folder: Path) -> Chip:
    pci = folder / "device"
    sensors = next(iter(sorted((pci / "hwmon").glob("hwmon*"))), pci / "hwmon" / "none")
    return Chip(
        card_type=_text(folder / "tt_card_type"),
        bus=pci.resolve().name if pci.exists() else "",
        board_id=_text(folder / "tt_serial"),
        temperature_celsius=_number(sensors / "temp1_input", 1e3),
        temperature_limit_celsius=_number(sensors / "temp1_max", 1e3),
        power_watts=_number(sensors / "power1_input", 1e6),
        voltage_volts=_number(sensors / "in0_input", 1e3),
        current_amperes=_number(sensors / "curr1_input", 1e3),
        ai_clock_mhz=_number(folder / "tt_aiclk", 1),
        arc_clock_mhz=_number(folder / "tt_arcclk", 1),
        axi_clock_mhz=_number(folder / "tt_axiclk", 1),
        firmware=_text(folder / "tt_fw_bundle_ver"),
    )


def _text(file: Path) -> str:
    """Return a small file's text; a chip that hangs lets the read fail."""
    try:
        with file.open("rb") as stream:
            return stream.read(4096).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _number(file: Path, unit: float) -> float | None:
    """Return a file's number, which counts in 1/`unit`; None where no chip answered."""
    text = _text(file)
    if not re.fullmatch(r"-?\d{1,12}", text):
        return None
    number = int(text)
    # 65535 thousandths of a degree are a temperature, 65535 degrees are none.
    if number in (-1, _ALL_ONES_32) or number / unit in (_ALL_ONES_16, _ALL_ONES_32):
        return None
    return number / unit
