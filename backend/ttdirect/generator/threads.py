"""How many threads compute: as many as help, and none that only wait for each other."""

from __future__ import annotations

import os

SMALL_MODEL_BYTES = 64 << 20
"""Below this, one thread is fastest. Measured with the shipped model (14 MB of weights) on 2 cores
while another process kept one of them busy: 173 tokens/s with one thread, 14 with two."""


def wait_politely() -> None:
    """Let threads that wait for each other sleep soon. To be called before torch is imported.

    A step of a model is hundreds of short parallel sections. A thread that spins at the end of each
    takes the core from the one it waits for as soon as anything else runs on the machine: the
    threads that answer HTTP, for example. A short spin is as good as an endless one: a decode step
    of a model of 135 million parameters took 45 ms spinning, 97 ms sleeping at once, and 47 ms
    with this count on 2 quiet cores. A setting of the environment goes first.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def choose_threads(weight_bytes: int, available: int) -> int:
    """Return how many of `available` threads a model with so many bytes of weights should use."""
    return 1 if weight_bytes < SMALL_MODEL_BYTES else available
