"""Where prompts are cut, and where the cache may be gone on behind.

A CPU takes time for every token, so it reads short pieces, and the running answers go on between
them. A card pads each piece (to 128, to 1024, then to powers of two), and what stands behind a
cached beginning runs another, slower program than a whole prompt: so it reads all that one pass of
its model takes (`max_prefill_chunk_size`), and a prompt that fits, with nothing cached, at once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttdirect.engine.lifecycle import LoadedModel

QUERY_CHUNK = 256
"""Attention behind a cached beginning starts at a multiple of 64 tokens, or of 256 where it reads
2048 and more; elsewhere it would read a wrong beginning, in silence. So tt-metal of 2026 rounds
`start_pos` down to lcm(block_size, it): what starts between is read twice in part, and can be
padded to more than was warmed up, or than fits. Those before leave the rounding to the caller."""

LONGEST = 4096
"""No piece on a card is longer, whatever its model takes: running answers wait for it."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How prompts are cut.

    Args:
        size: tokens after which a prompt is cut, a multiple of `unit`.
        unit: a cached beginning is used in multiples of so many tokens.
    """

    size: int
    unit: int


def pieces_of(model: LoadedModel, asked: int, max_seq_len: int, block_size: int) -> Pieces | None:
    """How a model's prompts are cut, or None where they are read whole.

    Args:
        model: the model.
        asked: tokens to a piece, where the model does not say what it takes in one pass.
        max_seq_len: the padded piece has to fit into it.
        block_size: tokens to a block of the KV cache.
    """
    if not model.continues_prompts:
        return None
    if model.longest_pass is None:
        return Pieces(asked, asked)
    pad = model.padded_length or int
    unit = math.lcm(block_size, QUERY_CHUNK)
    most = min(model.longest_pass, max_seq_len, LONGEST)
    units = bisect_right(range(unit, most + 1, unit), most, key=pad)
    return Pieces(units * unit, unit) if units else None
