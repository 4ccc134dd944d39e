"""The rules of the Generator API that arguments must keep, in tt-metal's words where it has some.

Servers and people search for these texts, so they are the same as in tt-metal
(models/tt_transformers tt/generator.py, tt/model.py, tt/common.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

if TYPE_CHECKING:
    from ttdirect.generator.kv_cache import KVCache

SUPPORTED_BATCHES = (1, 2, 4, 8, 16, 32)


def check(condition: bool, message: str) -> None:
    """Raise AssertionError; unlike an `assert` statement also under `python -O`."""
    if not condition:
        raise AssertionError(message)


def check_batch_size(size: int) -> None:
    """Raise ValueError unless one model can decode `size` rows (tt/model_config.py)."""
    if size not in SUPPORTED_BATCHES:
        raise ValueError(f"Batch size {size} not supported")


def get_padded_prefill_len(seq_len: int) -> int:
    """Return the length to which a prompt is padded (tt/common.py, 2026).

    128, then 1024, then the next power of two: the lengths for which a card keeps programs.
    """
    if seq_len <= 128:
        return 128
    if seq_len <= 1024:
        return 1024
    return 1 << (seq_len - 1).bit_length()


def check_page_table(page_table: object, rows: int) -> Tensor:
    """Return the page table if it is a tensor with one row for each prompt or batch row."""
    if not isinstance(page_table, Tensor):
        raise AssertionError("page_table must be a torch.Tensor")  # noqa: TRY004  tt-metal asserts
    check(
        page_table.dim() == 2 and page_table.shape[0] == rows,
        f"page_table must be [{rows}, W], but is {list(page_table.shape)}",
    )
    return page_table


def check_kv_cache(kv_cache: object, groups: int) -> None:
    """Check that the cache is given as a list with one cache for each data-parallel model."""
    hint = "kv_cache must be a list with one cache per data-parallel model: pass [tt_kv_cache]"
    if not isinstance(kv_cache, list):
        raise AssertionError(hint)  # noqa: TRY004  tt-metal asserts
    caches = cast("list[Any]", kv_cache)
    check(len(caches) == groups, hint)
    for cache in caches:
        # A cache is a list of layers; one layer, `[k, v]`, begins with a tensor.
        check(cache is None or isinstance(cache[0], list), hint)


def blocks_for(tokens: int, kv_cache: KVCache) -> int:
    """Return how many blocks hold `tokens` tokens."""
    return -(-tokens // kv_cache[0][0].shape[2])


def check_blocks(blocks: Tensor, kv_cache: KVCache) -> None:
    """Check that a page table names only blocks that the pool has."""
    count = kv_cache[0][0].shape[0]
    check(
        bool((blocks >= 0).all()) and bool((blocks < count).all()),
        f"page_table names a block outside the pool of {count} blocks",
    )
