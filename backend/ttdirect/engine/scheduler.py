"""Who runs next: admission into slots, and steps that are all prefill or all decode.

A Tenstorrent step never mixes the two (vllm-tt-plugin `docs/SCHEDULING.md`), and one prefill a
step is its best tested path, so the scheduler does the same everywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ttdirect.engine.blocks import BlockAllocator
    from ttdirect.engine.sequence import Sequence

PREFILLS_IN_A_ROW = 4
"""New requests may go first this often before the running ones get their next token: a new
user should not wait long for the first token, nor everybody else for the next one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The work of one step: one sequence to prefill, or all running ones to decode."""

    phase: Literal["prefill", "decode"]
    sequences: tuple[Sequence, ...]


class Scheduler:
    """First come, first served.

    A sequence keeps its slot (its row in the decode batch) and its blocks from admission to the
    end. Blocks for the whole answer are reserved at admission, so a running request never has
    to be stopped for want of memory.
    """

    def __init__(self, max_batch_size: int, allocator: BlockAllocator) -> None:
        self.allocator = allocator
        self.waiting: deque[Sequence] = deque()
        self.running: dict[int, Sequence] = {}
        self._free_slots = list(range(max_batch_size - 1, -1, -1))
        self._prefills_in_a_row = 0

    def next_batch(self) -> Batch | None:
        """What to compute now, or None when there is nothing to do."""
        if self._prefills_in_a_row < PREFILLS_IN_A_ROW or not self.running:
            admitted = self._admit()
            if admitted is not None:
                self._prefills_in_a_row += 1
                return Batch("prefill", (admitted,))
        self._prefills_in_a_row = 0
        if self.running:
            return Batch("decode", tuple(self.running.values()))
        return None

    def release(self, sequence: Sequence) -> None:
        """Take the sequence's slot and blocks back, whether it runs or still waits."""
        if sequence.slot is None:
            self.waiting.remove(sequence)
            return
        del self.running[sequence.slot]
        self._free_slots.append(sequence.slot)
        self.allocator.free(sequence.blocks)
        sequence.slot = None
        sequence.blocks = []

    def _admit(self) -> Sequence | None:
        """Move the first waiting sequence into a slot if a slot and its blocks are free."""
        if not self.waiting or not self._free_slots:
            return None
        request = self.waiting[0].request
        room = len(request.prompt_ids) + request.max_tokens
        blocks = self.allocator.allocate(self.allocator.blocks_for(room))
        if blocks is None:
            return None
        sequence = self.waiting.popleft()
        sequence.blocks = blocks
        sequence.slot = self._free_slots.pop()
        self.running[sequence.slot] = sequence
        return sequence
