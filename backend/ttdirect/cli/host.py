"""The computer that a card sits in, in lines for a report."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from ttdirect.hardware import sysfs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttdirect.hardware.sysfs import Roots


def describe_host(roots: Roots | None = None) -> Iterator[str]:
    """Yield the system, its memory, and what ttnn needs of it: huge pages, or an IOMMU.

    Args:
        roots: where the kernel's file systems are, by default those of this computer.
    """
    roots = roots or sysfs.THIS_COMPUTER
    yield f"{_distribution()}, {platform.machine()}, {os.cpu_count()} processors"
    pages = roots.sys / "kernel/mm/hugepages/hugepages-1048576kB"
    count, free = _number(pages / "nr_hugepages"), _number(pages / "free_hugepages")
    yield f"huge pages of 1 GB: {count} ({free} free)"
    groups = roots.sys / "kernel" / "iommu_groups"
    yield f"IOMMU: {'on' if groups.is_dir() and any(groups.iterdir()) else 'off'}"


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
