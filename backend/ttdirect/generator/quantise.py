"""Weights as small integers: one scale for each group of 32 columns, as in tt-metal's block floats.

int8 has 8.5 bits to a weight, scales included, and int4 4.5: the sizes of llama.cpp's Q8_0 and Q4_0
(ggml's quantisation formats), whose layout within a group is another one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ttdirect.generator import huge_pages
from ttdirect.generator.native import library
from ttdirect.generator.native.library import BLOCK, GROUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

FORMAT = 1
"""The number of this layout: to be raised with every change to it, here or in `native/`, so that
weights which `weight_cache` keeps from before are not taken for new ones."""


@dataclass(frozen=True)
class QuantisedMatrix:
    """A weight `[rows, columns]`, padded with zeros to multiples of BLOCK and GROUP.

    They lie in the order in which the library reads them (see `native/linear.h`). `integers` is
    int8 `[blocks, groups, GROUP / 2, BLOCK, 2]`, or with 4 bits uint8 `[blocks, groups, GROUP / 4,
    BLOCK, 2]`: low halves have the first 16 columns of the group and high halves the others, each
    plus 8.
    `scales` is bfloat16 `[blocks, groups, BLOCK]`.
    """

    integers: Tensor
    scales: Tensor
    bits: int

    @property
    def nbytes(self) -> int:
        """Bytes of integers and scales."""
        return self.integers.nbytes + self.scales.nbytes

    @property
    def rows(self) -> int:
        """Rows, padding included."""
        return self.scales.shape[0] * BLOCK

    @property
    def columns(self) -> int:
        """Columns, padding included."""
        return self.scales.shape[1] * GROUP

    def values(self) -> Tensor:
        """Return what the integers stand for, float32 `[rows, columns]`."""
        integers = self.integers
        if self.bits == 4:
            integers = torch.cat([integers & 15, integers >> 4], 2).to(torch.int8) - 8
        # [blocks, groups, pairs, BLOCK, 2] to [blocks, BLOCK, groups, pairs, 2]
        scaled = integers.permute(0, 3, 1, 2, 4) * self.scales.float().mT[..., None, None]
        return scaled.reshape(self.rows, self.columns)


def quantise(parts: Sequence[Tensor], bits: int) -> QuantisedMatrix:
    """Round a weight to 4 or 8 bits.

    Args:
        parts: tensors `[n, K]`, float32 or bfloat16, one below the other in the weight.
        bits: 4 or 8.

    Raises:
        RuntimeError: there is no library for this processor.
    """
    rows, columns = sum(part.shape[0] for part in parts), parts[0].shape[1]
    blocks, groups = -(-rows // BLOCK), -(-columns // GROUP)
    pairs, dtype = (GROUP // 2, torch.int8) if bits == 8 else (GROUP // 4, torch.uint8)
    integers = huge_pages.empty(blocks, groups, pairs, BLOCK, 2, dtype=dtype)
    scales = huge_pages.empty(blocks, groups, BLOCK, dtype=torch.bfloat16)
    share = -(-blocks // torch.get_num_threads())

    def quantise_share(first: int) -> None:
        values = _rows(parts, first * BLOCK, (first + share) * BLOCK).contiguous()
        library.quantise_rows(values, bits, integers[first:], scales[first:])

    with ThreadPoolExecutor() as pool:
        list(pool.map(quantise_share, range(0, blocks, share)))
    return QuantisedMatrix(integers, scales, bits)


def _rows(parts: Sequence[Tensor], begin: int, end: int) -> Tensor:
    """Return the rows from `begin` to `end` of what the parts form; a view where one has them."""
    found: list[Tensor] = []
    for part in parts:
        found.append(part[max(begin, 0) : max(end, 0)])
        begin, end = begin - part.shape[0], end - part.shape[0]
    found = [rows for rows in found if rows.shape[0]]
    return found[0] if len(found) == 1 else torch.cat(found)
