"""Who runs next: admission into slots, and steps that are all prefill or all decode.

A Tenstorrent step never mixes the two (vllm-tt-plugin `docs/SCHEDULING.md`), and one prefill a
step is its best tested path, so the scheduler does the same everywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ttdirect.engine.drafts import draft_for
from ttdirect.engine.errors import EngineSettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.engine.groups import Groups
    from ttdirect.engine.pieces import Pieces
    from ttdirect.engine.sequence import Sequence

LEAST_PREFILL = 32
"""However short a prompt is, its step costs as much as about so many tokens: all weights are
read once."""

DRAFT_ROWS = 16
"""A decode step may have so many rows with drafts: with more of them, a step's time goes into
computing instead of reading the weights, and users are a better use of it than guesses."""


@dataclass(frozen=True, slots=True)
class Prefill:
    """Read the tokens `start` to `end` of a prompt; what stands before them is in the cache."""

    sequence: Sequence
    start: int
    end: int

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Whom the step concerns."""
        return (self.sequence,)


@dataclass(frozen=True, slots=True)
class Decode:
    """One more token for every sequence whose prompt is read.

    A sequence with a draft gets one more for each drafted token that is the one it would choose.
    """

    sequences: tuple[Sequence, ...]
    drafts: Mapping[Sequence, tuple[int, ...]] = field(
        default_factory=dict["Sequence", tuple[int, ...]]
    )


Step: TypeAlias = Prefill | Decode


class Scheduler:
    """First come, first served.

    A sequence keeps its slot (its row in the decode batch) and its blocks from admission to the
    end. Blocks for the whole answer are reserved at admission, so a running request never has
    to be stopped for want of memory.

    Prompts go first, because a new user should not wait long for the first token; but after
    `turn` tokens of prompts the running ones get their next token, so that they never wait long
    either. A longer prompt is read in `pieces`, and only what prefill has read serves later
    prompts, in whole units. On a CPU a unit is a piece: so a prompt's numbers are bitwise the same
    whether it was read now or before. (What decode has written can differ in the last bit from
    what prefill would write.)

    Args:
        groups: the slots, and the blocks of the KV cache.
        turn: a multiple of the block size.
    """

    def __init__(self, groups: Groups, turn: int) -> None:
        if turn < 1 or turn % groups.block_size:
            raise EngineSettingError(
                f"a chunk must be a multiple of the block size {groups.block_size}, not {turn}.",
                "set BLOCK_SIZE in the script to 32",
            )
        self.groups = groups
        self.turn = turn
        self.pieces: Pieces | None = None
        """Where prompts are cut; None while the model cannot go on behind what the cache holds."""
        self.can_draft = False
        """Whether the rows of a decode step may belong to one sequence."""
        self.waiting: deque[Sequence] = deque()
        self.running: dict[int, Sequence] = {}
        self._reading: Sequence | None = None
        self._read_in_a_row = 0

    def next_step(self) -> Step | None:
        """What to compute now, or None when there is nothing to do."""
        answering = tuple(sequence for sequence in self.running.values() if sequence.is_read)
        if self._read_in_a_row < self.turn or not answering:
            self._reading = self._reading or self._admit()
            if self._reading is not None:
                return self._prefill(self._reading)
        self._read_in_a_row = 0
        return self._decode(answering) if answering else None

    def note_read(self, step: Prefill) -> None:
        """A step has put its part of the prompt into the cache."""
        sequence = step.sequence
        sequence.read_tokens = step.end
        if self.pieces is not None and sequence.slot is not None:
            full = step.end // self.groups.block_size
            self.groups.remember(sequence.slot, sequence.blocks[:full], sequence.digests[:full])
        if sequence.is_read:
            self._reading = None

    def release(self, sequence: Sequence) -> None:
        """Take the sequence's slot and blocks back, whether it runs or still waits."""
        if sequence.slot is None:
            self.waiting.remove(sequence)
            return
        if sequence is self._reading:
            self._reading = None
        del self.running[sequence.slot]
        self.groups.give_back(sequence.slot, sequence.blocks)
        sequence.slot = None
        sequence.blocks = []

    def _prefill(self, sequence: Sequence) -> Prefill:
        """The next part of a prompt, up to a multiple of the size of a piece.

        Where a part ends depends on the prompt alone, so its numbers do not depend on who else
        is served.
        """
        start, end = sequence.read_tokens, len(sequence.request.prompt_ids)
        if self.pieces is not None:
            end = min(end, (start // self.pieces.size + 1) * self.pieces.size)
        self._read_in_a_row += max(end - start, LEAST_PREFILL)
        return Prefill(sequence, start, end)

    def _decode(self, answering: tuple[Sequence, ...]) -> Decode:
        if not self.can_draft:
            return Decode(answering)
        rows = min(self.groups.max_batch_size, DRAFT_ROWS) - len(answering)
        return Decode(answering, draft_for(answering, rows))

    def _admit(self) -> Sequence | None:
        """Move the first waiting sequence into a slot if a slot and its blocks are free."""
        if not self.waiting:
            return None
        sequence = self.waiting[0]
        request, size = sequence.request, self.groups.block_size
        # The last token is always computed: its logits tell the answer's first one.
        reusable = (len(request.prompt_ids) - 1) // size
        tokens = len(request.prompt_ids) + request.max_tokens
        if self.pieces is None:
            place = self.groups.take(tokens)
        else:
            prefix, unit = sequence.digests[:reusable], self.pieces.unit // size
            place = self.groups.take(tokens, prefix, unit)
        if place is None:
            return None
        sequence.slot, sequence.blocks, known = place
        sequence.cached_tokens = sequence.read_tokens = known * size
        self.running[place.slot] = self.waiting.popleft()
        return sequence
