"""Weights as small integers: one scale for each group of 32 columns, as in tt-metal's block floats.

int8 has 8.5 bits to a weight, scales included, and int4 4.5: the sizes of llama.cpp's Q8_0 and Q4_0
(ggml's quantisation formats), whose layout within a group is another one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from ttdirect.generator.native import library
from ttdirect.generator.native.library import BLOCK, GROUP


@dataclass(frozen=True)
class QuantisedMatrix:
    """A weight `[rows, columns]`, padded with zeros to multiples of BLOCK and GROUP.

    `integers` is int8 `[rows, columns]`, or with 4 bits uint8 `[rows, columns / 2]`: byte i of a
    group has column i in its low half and column i + 16 in its high half, each plus 8. `scales` is
    bfloat16 `[rows, columns / GROUP]`.
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
        return self.integers.shape[0]

    @property
    def columns(self) -> int:
        """Columns, padding included."""
        return self.scales.shape[1] * GROUP

    def values(self) -> Tensor:
        """Return what the integers stand for, float32 `[rows, columns]`."""
        integers = self.integers
        if self.bits == 4:
            halves = integers.view(self.rows, -1, GROUP // 2)
            integers = torch.cat([halves & 15, halves >> 4], -1).to(torch.int8) - 8
        groups = integers.view(self.rows, -1, GROUP).float()
        return (groups * self.scales.float()[..., None]).flatten(1)


def quantise(weight: Tensor, bits: int) -> QuantisedMatrix:
    """Round a weight `[N, K]`, float32 or bfloat16, to 4 or 8 bits.

    Raises:
        RuntimeError: there is no library for this processor.
    """
    weight = weight.contiguous()
    rows, columns = weight.shape
    padded_rows, groups = -(-rows // BLOCK) * BLOCK, -(-columns // GROUP)
    # Zero in the packed form of 4 bits is 8: two of them to a byte.
    row = (groups * GROUP, torch.int8, 0) if bits == 8 else (groups * GROUP // 2, torch.uint8, 0x88)
    width, dtype, zero = row
    integers = torch.empty(padded_rows, width, dtype=dtype)
    integers[rows:] = zero
    scales = torch.zeros(padded_rows, groups, dtype=torch.bfloat16)
    share = -(-rows // torch.get_num_threads())

    def quantise_share(first: int) -> None:
        part = weight[first : first + share]
        library.quantise_rows(part, bits, integers[first:], scales[first:])

    with ThreadPoolExecutor() as pool:
        list(pool.map(quantise_share, range(0, rows, share)))
    return QuantisedMatrix(integers, scales, bits)
