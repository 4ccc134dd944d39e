"""How much memory this process may still use, asked before a model is loaded."""

from __future__ import annotations

from pathlib import Path

from ttdirect.generator.errors import NotEnoughMemoryError

_GIB = 1 << 30
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Return the bytes that can be allocated without swapping, or None where the system won't say.

    In a container the limit of its control group counts too.
    """
    found = [it for it in (_available_in_machine(), _available_in_container()) if it is not None]
    return min(found, default=None)


def _available_in_machine() -> int | None:
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _available_in_container() -> int | None:
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        stat = (_CGROUP / "memory.stat").read_text().split()
    except (OSError, ValueError):  # no control group, or its limit is "max"
        return None
    # The page cache counts as used, and is given back on demand.
    reclaimable = int(stat[stat.index("inactive_file") + 1]) if "inactive_file" in stat else 0
    return limit - used + reclaimable


def check_memory(weight_bytes: int, kv_bytes: int, repacked_bytes: int = 0) -> None:
    """Refuse a model that would not fit: weights, KV cache, and what is there twice for a moment.

    Raises:
        NotEnoughMemoryError: with the numbers, and the setting that is easiest to lower.
    """
    needed, available = weight_bytes + kv_bytes + repacked_bytes, available_bytes()
    if available is None or needed <= available:
        return
    raise NotEnoughMemoryError(
        f"The model needs {needed / _GIB:.1f} GiB ({weight_bytes / _GIB:.1f} weights, "
        f"{kv_bytes / _GIB:.1f} KV cache), and {available / _GIB:.1f} GiB are free.",
        "Lower max_num_blocks (the KV cache) or max_batch_size, or choose a smaller model.",
    )
