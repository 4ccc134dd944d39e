"""Attention over pages: a row's result depends on that row's own tokens and on nothing else.

Decode: rows are padded to a *bucket* length that follows from the row's own position, and rows of
the same bucket share the products. Prefill: queries go in tiles that start at multiples of
`TILE` tokens, keys reach to the end of the tile; so a prompt has the same bits whether its first
part was computed just now, in an earlier chunk, or taken from a cached prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ttdirect.generator.kv_cache import block_rows, read_blocks, token_rows

TILE = 128
_GROUP_BYTES = 4 << 20  # gathered keys of one group stay in the CPU's cache until they are used


@dataclass(frozen=True)
class DecodeGroup:
    """Rows `[start, stop)` of the step that attend together.

    `blocks` are the pool rows to gather, `mask` is float32 `[rows * n_kv_heads, 1, length]`.
    """

    start: int
    stop: int
    blocks: Tensor
    mask: Tensor


@dataclass(frozen=True)
class DecodePlan:
    """Where a decode step writes and what it reads: the same for all layers with one `window`."""

    written: Tensor
    groups: tuple[DecodeGroup, ...]


def bucket_length(tokens: int) -> int:
    """Return `tokens` rounded up to a multiple of 64, of 128 above 512, of 256 above 1024, ..."""
    step = max(64, (1 << (tokens - 1).bit_length()) // 8)
    return -(-tokens // step) * step


def first_block(position: int, window: int | None, block_size: int) -> int:
    """Return the first block that the token at `position` can see."""
    return 0 if window is None else max(0, position + 1 - window) // block_size


def plan_decode(
    positions: list[int], tables: Tensor, pool: Tensor, window: int | None
) -> DecodePlan:
    """Plan a step for rows at `positions` with page tables `[rows, W]` (int64).

    `pool` is any layer's pool: only its shape is read.
    """
    _, n_kv_heads, block_size, head_dim = pool.shape
    firsts = [first_block(position, window, block_size) for position in positions]
    counts = [
        -(-bucket_length(position + 1 - first * block_size) // block_size)
        for position, first in zip(positions, firsts, strict=True)
    ]
    at = torch.tensor(positions)
    last = at // block_size
    written = token_rows(tables.gather(1, last[:, None])[:, 0], at % block_size, pool)
    groups: list[DecodeGroup] = []
    start = 0
    while start < len(positions):
        count = counts[start]
        row_bytes = n_kv_heads * count * block_size * head_dim * 4
        limit = min(len(positions), start + max(1, _GROUP_BYTES // row_bytes))
        stop = start + 1
        while stop < limit and counts[stop] == count:
            stop += 1
        rows = slice(start, stop)
        first = torch.tensor(firsts[rows])[:, None]
        # Past a row's last block its own last block stands in: masked, and nobody else's data.
        columns = torch.minimum(first + torch.arange(count), last[rows, None])
        keys = first * block_size + torch.arange(count * block_size)
        visible = keys <= at[rows, None]
        if window is not None:
            visible &= keys > at[rows, None] - window
        groups.append(
            DecodeGroup(
                start,
                stop,
                block_rows(tables[rows].gather(1, columns), pool),
                additive_mask(visible).repeat_interleave(n_kv_heads, 0)[:, None, :],
            )
        )
        start = stop
    return DecodePlan(written, tuple(groups))


def additive_mask(visible: Tensor) -> Tensor:
    """Return float32 zeros where `visible` is true, and minus infinity elsewhere."""
    return torch.zeros(visible.shape, device=visible.device).masked_fill_(~visible, float("-inf"))


def attend_decode(
    queries: Tensor, pools: list[Tensor], plan: DecodePlan, scratch: tuple[Tensor, Tensor]
) -> Tensor:
    """Return float32 `[rows, n_heads * head_dim]` for queries `[rows, n_heads, head_dim]`."""
    rows, n_heads, head_dim = queries.shape
    n_kv_heads = pools[0].shape[1]
    # The query heads of one key head become the rows of one product: no key is read twice.
    queries = queries.reshape(rows, n_kv_heads, n_heads // n_kv_heads, head_dim)
    out = torch.empty_like(queries)
    for group in plan.groups:
        at = slice(group.start, group.stop)
        pairs = (group.stop - group.start) * n_kv_heads
        keys = read_blocks(pools[0], group.blocks, scratch[0]).view(pairs, -1, head_dim)
        values = read_blocks(pools[1], group.blocks, scratch[1]).view(pairs, -1, head_dim)
        scores = torch.baddbmm(
            group.mask, queries[at].flatten(0, 1), keys.transpose(1, 2), alpha=head_dim**-0.5
        )
        torch.bmm(torch.softmax(scores, -1), values, out=out[at].flatten(0, 1))
    return out.view(rows, n_heads * head_dim)


def scratch_tokens(pool: Tensor, max_seq_len: int) -> int:
    """Return how many tokens of all key heads a scratch buffer must hold, for either phase."""
    _, n_kv_heads, block_size, head_dim = pool.shape
    longest = bucket_length(max_seq_len) + TILE + 2 * block_size
    return max(n_kv_heads * longest, _GROUP_BYTES // (4 * head_dim))


@dataclass(frozen=True)
class PrefillTile:
    """Queries `[start, start + TILE)` and keys `[first_key, end)`, in tokens of the request.

    Both ends are multiples of the tile, whatever the prompt's length; `mask` is `[TILE, keys]`.
    """

    start: int
    first_key: int
    end: int
    mask: Tensor


@dataclass(frozen=True)
class PrefillPlan:
    """One chunk of one prompt: where its tokens are written, and the tiles that cover it."""

    start: int
    stop: int
    written: Tensor
    blocks: Tensor
    first_gathered: int
    tiles: tuple[PrefillTile, ...]


def plan_prefill(
    start: int, stop: int, table: Tensor, pool: Tensor, window: int | None
) -> PrefillPlan:
    """Plan tokens `[start, stop)` of a request with page table `[W]` (int64)."""
    block_size = pool.shape[2]
    device = table.device
    at = torch.arange(start, stop, device=device)
    written = token_rows(table[at // block_size], at % block_size, pool)
    tiles: list[PrefillTile] = []
    for tile in range(start // TILE * TILE, stop, TILE):
        reach = 0 if window is None else max(0, tile + 1 - window) // TILE * TILE
        queries = torch.arange(tile, tile + TILE, device=device)[:, None]
        keys = torch.arange(reach, tile + TILE, device=device)
        visible = keys <= queries
        if window is not None:
            visible &= keys > queries - window
        tiles.append(PrefillTile(tile, reach, tile + TILE, additive_mask(visible)))
    first = tiles[0].first_key // block_size
    columns = torch.arange(first, -(-tiles[-1].end // block_size), device=device)
    columns = columns.clamp(max=(stop - 1) // block_size)
    blocks = block_rows(table[columns][None, :], pool)
    return PrefillPlan(start, stop, written, blocks, first * block_size, tuple(tiles))


def attend_prefill(
    queries: Tensor, pools: list[Tensor], plan: PrefillPlan, scratch: tuple[Tensor, Tensor]
) -> Tensor:
    """Return float32 `[tokens, n_heads * head_dim]` for queries `[tokens, n_heads, head_dim]`."""
    tokens, n_heads, head_dim = queries.shape
    n_kv_heads = pools[0].shape[1]
    shared = n_heads // n_kv_heads
    keys, values = (
        read_blocks(pool, plan.blocks, buffer).view(n_kv_heads, 1, -1, head_dim)
        for pool, buffer in zip(pools, scratch, strict=True)
    )
    # Whole tiles, with zero queries before the start and after the end: one shape, the same bits.
    lead = plan.start - plan.tiles[0].start
    tail = plan.tiles[-1].end - plan.stop
    whole = functional.pad(queries, (0, 0, 0, 0, lead, tail))
    whole = whole.view(-1, n_kv_heads, shared, head_dim).permute(1, 2, 0, 3)
    parts: list[Tensor] = []
    for index, tile in enumerate(plan.tiles):
        seen = slice(tile.first_key - plan.first_gathered, tile.end - plan.first_gathered)
        attended = functional.scaled_dot_product_attention(
            whole[:, :, index * TILE : (index + 1) * TILE],
            keys[:, :, seen].expand(-1, shared, -1, -1),
            values[:, :, seen].expand(-1, shared, -1, -1),
            attn_mask=tile.mask,
        )
        parts.append(attended.permute(2, 0, 1, 3).reshape(TILE, n_heads * head_dim))
    return torch.cat(parts)[lead : lead + tokens]
