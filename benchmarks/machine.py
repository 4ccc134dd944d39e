"""The machine under test: what its CPU can do, how fast it reads memory, and who else uses it."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

READ_BYTES = 2**30
READ_ROUNDS = 7
DISTURBED = 0.03
"""Share of the machine's CPU time that others may take: more would slow what is measured."""
TRIES = 3

Result = TypeVar("Result")


def cpu_flags() -> set[str]:
    """The CPU's features as Linux names them; empty where there is no Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()[2:]) for line in lines if line.startswith("flags")), set())


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown CPU"
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")),
        "unknown CPU",
    )


def read_bandwidth() -> float:
    """Bytes/s that all cores together read from memory: the median of plain sums over 1 GiB."""
    torch.set_num_threads(os.cpu_count())
    numbers = torch.ones(READ_BYTES // 4)
    seconds = []
    for _ in range(READ_ROUNDS):
        begun = time.perf_counter()
        numbers.sum()
        seconds.append(time.perf_counter() - begun)
    return READ_BYTES / statistics.median(seconds)


def undisturbed(measure: Callable[[], Result]) -> tuple[Result, bool]:
    """What `measure` returns, measured again while other processes use the CPU, up to a limit.

    Servers whose threads wait for each other are slowed out of all proportion when one of them
    has to share its core, so such a figure says nothing.

    Returns:
        The result, and whether it could be had without others.
    """
    for _ in range(TRIES):
        begun, busy = time.perf_counter(), _busy_by_others()
        result = measure()
        allowed = DISTURBED * os.cpu_count() * (time.perf_counter() - begun)
        if _busy_by_others() - busy <= allowed:
            return result, True
    return result, False


def _busy_by_others() -> float:
    """CPU seconds that processes outside this session have used since the machine started."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system = (int(ticks) for ticks in fields[:3])
    session, own = os.getsid(0), 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in front, in brackets, may hold anything.
            values = process.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(values[3]) == session:
            own += int(values[11]) + int(values[12])
    return (user + nice + system - own) / os.sysconf("SC_CLK_TCK")
