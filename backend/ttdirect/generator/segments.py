"""Attention of a decode step whose shapes never change, as a CUDA graph needs it.

A request's keys are read in *segments*: the first holds `FIRST_TOKENS`, the next as many again, the
third as many as those two, and so on, each twice as much as all before it had. A step reads only as
many segments as its longest row has. A segment has the same shape in every step, so the same
kernels; its result is added to those before it in their order; and a row that ends earlier adds
exact zeros. So a row has the same bits whoever else is in the batch.

Everything here is tensors in, tensors out: no value is looked at in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ttdirect.generator.attention import additive_mask
from ttdirect.generator.kv_cache import block_rows, token_rows

FIRST_TOKENS = 256
"""Enough for most questions; less would mean more kernels for every longer one."""


@dataclass(frozen=True)
class Segment:
    """`blocks` are the pool rows to gather, `mask` is float32 `[rows * n_kv_heads, 1, tokens]`."""

    blocks: Tensor
    mask: Tensor


@dataclass(frozen=True)
class StepPlan:
    """Where a step writes and what it reads: the same for all layers with one `window`."""

    written: Tensor
    segments: tuple[Segment, ...]


def segment_ends(max_seq_len: int, block_size: int) -> tuple[int, ...]:
    """Return where the segments of a text end, in columns of its page table."""
    columns = -(-max_seq_len // block_size)
    ends = [min(columns, -(-FIRST_TOKENS // block_size))]
    while ends[-1] < columns:
        ends.append(min(columns, 2 * ends[-1]))
    return tuple(ends)


def plan_step(
    positions: Tensor, tables: Tensor, pool: Tensor, window: int | None, ends: tuple[int, ...]
) -> StepPlan:
    """Plan a step for rows at `positions` (int64 `[rows]`) with page tables `[rows, W]` (int64).

    `ends` are those of the segments that the longest row needs; W is at least the last of them.
    `pool` is any layer's pool: only its shape is read.
    """
    _, n_kv_heads, block_size, _ = pool.shape
    last = positions // block_size
    written = token_rows(tables.gather(1, last[:, None])[:, 0], positions % block_size, pool)
    first = torch.zeros_like(last)
    if window is not None:
        first = (positions + 1 - window).clamp(min=0) // block_size
        # So many blocks a window can touch, wherever in a block it begins.
        reach = -(-(window - 1) // block_size) + 1
        ends = tuple(dict.fromkeys(min(end, reach) for end in ends))
    segments: list[Segment] = []
    for start, stop in pairwise((0, *ends)):
        columns = first[:, None] + torch.arange(start, stop, device=positions.device)
        tokens = torch.arange(start * block_size, stop * block_size, device=positions.device)
        keys = first[:, None] * block_size + tokens
        visible = keys <= positions[:, None]
        if window is not None:
            visible &= keys > positions[:, None] - window
        # Past a row's last block its own last block stands in: masked, and nobody else's data.
        blocks = tables.gather(1, torch.minimum(columns, last[:, None]))
        mask = additive_mask(visible)[:, None, :].expand(-1, n_kv_heads, -1)
        segments.append(Segment(block_rows(blocks, pool), mask.reshape(-1, 1, tokens.shape[0])))
    return StepPlan(written, tuple(segments))


def attend_step(queries: Tensor, pools: list[Tensor], plan: StepPlan) -> Tensor:
    """Return float32 `[rows, n_heads * head_dim]` for queries `[rows, n_heads, head_dim]`.

    The softmax over all segments is computed as one goes along (Milakov and Gimelshein 2018): what
    was summed up is scaled down when a later segment has a greater score. The first segment holds
    a key that the row sees, so the greatest score is never minus infinity.
    """
    rows, n_heads, head_dim = queries.shape
    n_kv_heads = pools[0].shape[1]
    # The query heads of one key head become the rows of one product: no key is read twice.
    shared = queries.reshape(rows * n_kv_heads, n_heads // n_kv_heads, head_dim)
    best, total, out = torch.empty(0), torch.empty(0), torch.empty(0)
    for index, segment in enumerate(plan.segments):
        keys, values = (_gather(pool, segment, rows * n_kv_heads) for pool in pools)
        scores = torch.baddbmm(segment.mask, shared, keys.transpose(1, 2), alpha=head_dim**-0.5)
        greatest = scores.amax(-1, keepdim=True)
        if index:
            greatest = torch.maximum(best, greatest)
        weights = (scores - greatest).exp_()
        summed, attended = weights.sum(-1, keepdim=True), torch.bmm(weights, values)
        if index:
            fade = (best - greatest).exp_()
            summed.add_(total * fade)
            attended.add_(out * fade)
        best, total, out = greatest, summed, attended
    return (out / total).view(rows, n_heads * head_dim)


def _gather(pool: Tensor, segment: Segment, pairs: int) -> Tensor:
    """Return float32 `[pairs, tokens, head_dim]`, a pair being a row and a key head."""
    _, _, block_size, head_dim = pool.shape
    blocks = pool.view(-1, block_size * head_dim).index_select(0, segment.blocks)
    return blocks.view(pairs, -1, head_dim).float()
