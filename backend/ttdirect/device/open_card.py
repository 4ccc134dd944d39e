"""Whether a card is open, also for the process that watches over the one that opened it."""

from __future__ import annotations

import mmap


class OpenCard:
    """One byte of memory that a process shares with those it is forked into.

    A worker that crashes cannot say any more that it had a card; its master reads it here.
    """

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def __bool__(self) -> bool:
        return self._byte[0] != 0

    def note(self, *, is_open: bool) -> None:
        """Say that a card is about to be opened, or that none is open any more."""
        self._byte[0] = is_open


open_card = OpenCard()
"""This process's, and that of its workers."""
