"""The paged KV cache: blocks in a pool, and page tables that say which blocks a request owns.

Every write and every read goes through (block, offset), as on the card: a wrong page table shows
up as wrong text instead of being healed by some private copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ttdirect.generator import huge_pages

KVCache = list[list[Tensor]]
"""Over layers, `[k, v]`, each `[max_num_blocks, n_kv_heads, block_size, head_dim]`."""


@dataclass(frozen=True)
class PagedAttentionConfig:
    """Size of the pool (tt-metal models/tt_transformers tt/common.py, same names and defaults).

    `block_size` is in tokens; the pool holds `max_num_blocks` of them for all requests together.
    """

    block_size: int = 32
    max_num_blocks: int = 1024


def allocate_kv_cache(
    config: PagedAttentionConfig,
    n_layers: int,
    n_kv_heads: int,
    head_dim: int,
    dtype: torch.dtype,
    *,
    device: torch.device | None = None,
) -> KVCache:
    """Return a pool of zeros for each layer, on the CPU unless `device` is another one."""
    shape = (config.max_num_blocks, n_kv_heads, config.block_size, head_dim)

    def pool() -> Tensor:
        if device is None:
            return huge_pages.zeros(*shape, dtype=dtype)
        return torch.zeros(shape, dtype=dtype, device=device)

    return [[pool() for _ in "kv"] for _ in range(n_layers)]


def kv_cache_bytes(
    config: PagedAttentionConfig, n_layers: int, n_kv_heads: int, head_dim: int, dtype: torch.dtype
) -> int:
    """Return the bytes that `allocate_kv_cache` would take."""
    tokens = config.max_num_blocks * config.block_size
    return 2 * n_layers * tokens * n_kv_heads * head_dim * dtype.itemsize


def contiguous_page_table(slots: int, blocks_per_slot: int) -> Tensor:
    """Return int32 `[slots, blocks_per_slot]` that gives each slot its own blocks, from block 1.

    It serves a model built without paging, where tt-metal keeps one stretch of cache per slot.
    """
    blocks = torch.arange(1, slots * blocks_per_slot + 1, dtype=torch.int32)
    return blocks.view(slots, blocks_per_slot)


def token_rows(blocks: Tensor, offsets: Tensor, pool: Tensor) -> Tensor:
    """Return the rows of `pool` seen as `[-1, head_dim]` for tokens at (block, offset).

    `blocks` and `offsets` are int64 `[tokens]`; the result is `[tokens * n_kv_heads]`, token by
    token.
    """
    _, n_kv_heads, block_size, _ = pool.shape
    heads = torch.arange(n_kv_heads, device=blocks.device)
    return ((blocks[:, None] * n_kv_heads + heads) * block_size + offsets[:, None]).reshape(-1)


def block_rows(blocks: Tensor, pool: Tensor) -> Tensor:
    """Return the rows of `pool` seen as `[-1, block_size * head_dim]` for whole blocks.

    `blocks` is int64 `[requests, n]`; the result is `[requests * n_kv_heads * n]`, ordered so that
    the gathered rows, viewed as `[requests, n_kv_heads, n * block_size, head_dim]`, are in order.
    """
    n_kv_heads = pool.shape[1]
    heads = torch.arange(n_kv_heads, device=blocks.device)[None, :, None]
    return (blocks[:, None, :] * n_kv_heads + heads).reshape(-1)


def write_tokens(pool: Tensor, rows: Tensor, values: Tensor) -> None:
    """Write `values` `[tokens, n_kv_heads, head_dim]` to the pool's `rows` (see `token_rows`)."""
    head_dim = pool.shape[-1]
    pool.view(-1, head_dim).index_copy_(0, rows, values.reshape(-1, head_dim).to(pool.dtype))


def read_blocks(pool: Tensor, rows: Tensor, scratch: Tensor) -> Tensor:
    """Gather the pool's `rows` (see `block_rows`) into `scratch`, and return them in float32.

    `scratch` is a flat buffer of the pool's type, reused from layer to layer: a fresh one of this
    size would cost more in page faults than the copy itself. The result is `[tokens, head_dim]`.
    """
    _, _, block_size, head_dim = pool.shape
    width = block_size * head_dim
    target = scratch[: rows.shape[0] * width].view(-1, width)
    torch.index_select(pool.view(-1, width), 0, rows, out=target)
    return target.view(-1, head_dim).float()


def scribble(kv_cache: KVCache, table: Tensor, position: int) -> None:
    """Fill block 0 with the token at `position` of a request, as padding rows do on the card."""
    block_size = kv_cache[0][0].shape[2]
    block, offset = int(table[position // block_size]), position % block_size
    for pools in kv_cache:
        for pool in pools:
            pool[0] = pool[block, :, offset].clone()[:, None, :]
