"""Rows of the decode batch and blocks of the KV cache, shared out to data-parallel models.

Several models behind one Generator compute each step together, each on chips of its own. Model g of
N has the rows from g * B/N on, B/N of them, and a KV cache of its own, whose blocks are numbered
from 0 as in every other. So the row that a request gets decides in which cache its page table's
blocks are (tt-metal `tt/generator.py`: prefill takes `slot // max_batch_size` for the model, and
decode splits tokens, positions and page table into N equal parts).

Mostly there is one model, and one group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ttdirect.engine.blocks import BlockAllocator
from ttdirect.engine.errors import EngineSettingError

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
"""The decode batches of one model that tt-metal's ModelArgs supports; one tile has 32 rows."""


class Place(NamedTuple):
    """What a request gets at admission.

    Args:
        slot: its row of the decode batch.
        blocks: of the cache of that row's model.
        known: so many of them, the first ones, hold their part of the prompt already.
    """

    slot: int
    blocks: list[int]
    known: int


@dataclass(frozen=True, slots=True)
class _Group:
    """What one model has: its KV cache, and its rows that nobody holds, the next one last."""

    allocator: BlockAllocator
    free_slots: list[int]


class Groups:
    """The rows and blocks of all models.

    Args:
        max_batch_size: B, the rows of all models together.
        num_blocks: blocks of each model's KV cache, its scratch block included.
        block_size: tokens to a block.
        data_parallel: N, the models.

    Raises:
        EngineSettingError: the rows cannot be shared out so, or a cache cannot be cut so.
    """

    def __init__(
        self, max_batch_size: int, num_blocks: int, block_size: int, data_parallel: int = 1
    ) -> None:
        if data_parallel < 1:
            raise EngineSettingError(
                f"data_parallel must be 1 or more, not {data_parallel}.",
                "set DATA_PARALLEL in the script to 1 or more",
            )
        rows, rest = divmod(max_batch_size, data_parallel)
        if rest or rows not in BATCH_SIZES:
            each = f" for each of {data_parallel} models" if data_parallel > 1 else ""
            *sizes, largest = (size * data_parallel for size in BATCH_SIZES)
            raise EngineSettingError(
                f"max_batch_size must be one of {BATCH_SIZES}{each}, not {max_batch_size}.",
                f"set MAX_BATCH_SIZE in the script to {', '.join(map(str, sizes))} or {largest}",
            )
        self.max_batch_size = max_batch_size
        self.block_size = block_size
        self._rows = rows
        self._groups = [
            _Group(
                BlockAllocator(num_blocks, block_size), list(range(first + rows - 1, first - 1, -1))
            )
            for first in range(0, max_batch_size, rows)
        ]

    @property
    def data_parallel(self) -> int:
        """N, the models."""
        return len(self._groups)

    @property
    def blocks_each(self) -> int:
        """Blocks that one request can have at most: those of one cache."""
        return self._groups[0].allocator.capacity

    @property
    def free_slots(self) -> list[int]:
        """Rows that nobody holds."""
        return sorted(slot for group in self._groups for slot in group.free_slots)

    @property
    def free_blocks(self) -> int:
        """Blocks that nobody holds, in all caches."""
        return sum(group.allocator.free_count for group in self._groups)

    @property
    def use(self) -> float:
        """Share of all blocks that requests hold, 0.0 to 1.0."""
        return 1.0 - self.free_blocks / (self.blocks_each * self.data_parallel)

    def take(self, tokens: int, prefix: Items[bytes] = (), unit: int = 1) -> Place | None:
        """Take a row, and blocks for so many tokens in the cache of its model.

        The model whose cache knows most of the prompt is chosen, so that a conversation goes on
        where its history is; where several know as much, the one that has least to do.

        Args:
            tokens: of prompt and answer together.
            prefix: digests of the prompt's first blocks, as `block_digests` gives them.
            unit: so many blocks of the prefix are known together or not at all.

        Returns:
            The place, or None while no model has room.
        """
        wanted = sorted(
            (group for group in self._groups if group.free_slots),
            key=lambda group: (
                len(group.allocator.known(prefix, unit)),
                len(group.free_slots),
                group.allocator.free_count,
            ),
            reverse=True,
        )
        for group in wanted:
            count = group.allocator.blocks_for(tokens)
            allocated = group.allocator.allocate(count, prefix, unit)
            if allocated is not None:
                return Place(group.free_slots.pop(), *allocated)
        return None

    def give_back(self, slot: int, blocks: Items[int]) -> None:
        """Give a row and its blocks back.

        Raises:
            ValueError: a block was not taken from that row's model.
        """
        group = self._groups[slot // self._rows]
        group.allocator.free(blocks)
        group.free_slots.append(slot)

    def remember(self, slot: int, blocks: Items[int], digests: Items[bytes]) -> None:
        """Note what full blocks of a row hold, so that others of its model can use them too."""
        self._groups[slot // self._rows].allocator.remember(blocks, digests)

    def forget(self) -> None:
        """Share nothing of what is known by now; what is taken stays taken."""
        for group in self._groups:
            group.allocator.forget()
