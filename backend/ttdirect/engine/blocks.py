"""Which blocks of the paged KV cache belong to whom, and which of them can be used again.

A block that a request has filled keeps its content until the room is needed. The next request
whose prompt begins with the same tokens takes it as it is and does not compute it again: so a
conversation's history is read once, not at every turn.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from ttdirect.engine.errors import EngineSettingError

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

SCRATCH_BLOCK = 0
"""The Generator API writes here for idle rows, warm-up and padding (tt-metal
`models/tt_transformers`, and vLLM's null block), so it never belongs to a request."""


class BlockAllocator:
    """Hands out the ids 1 to num_blocks-1 and takes them back.

    A block is free, taken by one or more requests, or idle: taken by nobody, its content known.
    Freed blocks are reused last-in first-out, so that a busy server touches little memory; idle
    ones are given up when no free one is left, the longest unused first.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        if num_blocks < 2:
            raise EngineSettingError(
                f"num_blocks must be at least 2 (one is scratch), not {num_blocks}.",
                "raise CACHE_TOKENS in the script",
            )
        if block_size < 1:
            raise EngineSettingError(
                f"block_size must be at least 1, not {block_size}.",
                "set BLOCK_SIZE in the script to 32",
            )
        self.block_size = block_size
        self.capacity = num_blocks - 1
        self._free = list(range(num_blocks - 1, SCRATCH_BLOCK, -1))
        self._users: Counter[int] = Counter()
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._block_of: dict[bytes, int] = {}
        self._digest_of: dict[int, bytes] = {}

    @property
    def free_count(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free) + len(self._idle)

    def blocks_for(self, tokens: int) -> int:
        """Blocks that `tokens` tokens need."""
        return -(-tokens // self.block_size)

    def known(self, prefix: Items[bytes], unit: int = 1) -> list[int]:
        """The blocks that hold the longest known beginning of a prefix.

        Args:
            prefix: digests of a prompt's first blocks, as `block_digests` gives them.
            unit: so many blocks are known together or not at all.
        """
        known: list[int] = []
        for digest in prefix:
            block = self._block_of.get(digest)
            if block is None:
                break
            known.append(block)
        return known[: len(known) // unit * unit]

    def allocate(
        self, count: int, prefix: Items[bytes] = (), unit: int = 1
    ) -> tuple[list[int], int] | None:
        """Take `count` blocks, beginning with those that hold a known prefix.

        Args:
            count: blocks, at least as many as `prefix` has digests.
            prefix: digests of a prompt's first blocks, as `block_digests` gives them.
            unit: so many blocks of the prefix are known together or not at all.

        Returns:
            The blocks, and how many of them hold their part of the prefix already: those must
            not be written any more. None when not that many are free.
        """
        known = self.known(prefix, unit)
        resting = sum(block in self._idle for block in known)
        if count - len(known) > self.free_count - resting:
            return None
        for block in known:
            self._idle.pop(block, None)
        blocks = [*known, *(self._fresh() for _ in range(count - len(known)))]
        self._users.update(blocks)
        return blocks, len(known)

    def remember(self, blocks: Items[int], digests: Items[bytes]) -> None:
        """Note what full blocks hold, so that others can use them too."""
        for block, digest in zip(blocks, digests, strict=False):
            if digest not in self._block_of and block not in self._digest_of:
                self._block_of[digest] = block
                self._digest_of[block] = digest

    def free(self, blocks: Items[int]) -> None:
        """Give blocks back.

        Raises:
            ValueError: a block was not taken; giving it back twice would hand one block to
                two requests and mix their texts.
        """
        # From the end: the beginning of a prompt is what others are most likely to share.
        for block in reversed(blocks):
            if not self._users[block]:
                raise ValueError(f"block {block} is not in use")
            self._users[block] -= 1
            if self._users[block]:
                continue
            if block in self._digest_of:
                self._idle[block] = None
            else:
                self._free.append(block)

    def forget(self) -> None:
        """Share nothing of what is known by now; what is taken stays taken."""
        self._free.extend(self._idle)
        self._idle.clear()
        self._block_of.clear()
        self._digest_of.clear()

    def _fresh(self) -> int:
        if self._free:
            return self._free.pop()
        block, _ = self._idle.popitem(last=False)
        del self._block_of[self._digest_of.pop(block)]
        return block


def block_digests(ids: Items[int], block_size: int) -> tuple[bytes, ...]:
    """A name for each full block of a text and all that stands before it.

    Long enough that two texts never get the same one, or one user would read another's.

    Args:
        ids: all token ids from the text's beginning.
        block_size: tokens to a block.
    """
    digests: list[bytes] = []
    for start in range(0, len(ids) - block_size + 1, block_size):
        parent = digests[-1] if digests else b""
        content = ",".join(map(str, ids[start : start + block_size]))
        digests.append(hashlib.blake2b(content.encode(), key=parent, digest_size=32).digest())
    return tuple(digests)
