"""Which blocks of the paged KV cache belong to whom."""

from __future__ import annotations

SCRATCH_BLOCK = 0
"""The Generator API writes here for idle rows, warm-up and padding (tt-metal
`models/tt_transformers`, and vLLM's null block), so it never belongs to a request."""


class BlockAllocator:
    """Hands out the ids 1 to num_blocks-1 and takes them back.

    Freed blocks are reused last-in first-out, so that a busy server touches little memory.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        if num_blocks < 2:
            raise ValueError(f"num_blocks must be at least 2 (one is scratch), not {num_blocks}")
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, not {block_size}")
        self.block_size = block_size
        self.capacity = num_blocks - 1
        self._free = list(range(num_blocks - 1, SCRATCH_BLOCK, -1))
        self._taken: set[int] = set()

    @property
    def free_count(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def blocks_for(self, tokens: int) -> int:
        """Blocks that `tokens` tokens need."""
        return -(-tokens // self.block_size)

    def allocate(self, count: int) -> list[int] | None:
        """Take `count` blocks, or None when not that many are free."""
        if count > len(self._free):
            return None
        blocks = [self._free.pop() for _ in range(count)]
        self._taken.update(blocks)
        return blocks

    def free(self, blocks: list[int]) -> None:
        """Give blocks back.

        Raises:
            ValueError: a block was not taken; giving it back twice would hand one block to
                two requests and mix their texts.
        """
        for block in blocks:
            if block not in self._taken:
                raise ValueError(f"block {block} is not in use")
            self._taken.remove(block)
            self._free.append(block)
