"""Linear layers whose result for a row does not depend on the rows beside it.

A matrix product on a CPU picks its kernel by the number of rows, and another kernel sums in another
order. So a user's logits could change in the last bits, and now and then a token with them, when a
neighbour joins the batch. `row_quantum` measures, on the machine at hand and with the model's own
weights, to what multiple the rows must be padded so that this cannot happen.

Measured on AVX2 with PyTorch 2.13: the prepacked oneDNN product is the same for any number of rows
(`F.linear` only from 12 rows on), and up to three times faster than `F.linear` at 2 to 16 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from ttdirect.generator.precision import FloatPrecision

QUANTA = (1, 2, 4, 8, 16, 32)
_PROBED = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 20, 24, 28, 31)
"""Row counts to compare: kernels change at small counts, and each count reads the whole weight."""


class Linear:
    """`rows @ weight.T + bias`: float32 `[m, K]` in, float32 `[m, N]` out.

    The weight `[N, K]`, already in the compute type, is repacked once into oneDNN's blocked layout
    where this build of PyTorch can do so; the caller should then drop its own reference.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, precision: FloatPrecision) -> None:
        bias = None if bias is None else bias.to(weight)  # of its type, and where it lies
        self.out_features, self.in_features = weight.shape
        self.nbytes = weight.numel() * weight.element_size()
        self._compute = precision.compute
        self._multiply = _prepack(weight, bias) or _plain(weight, bias)

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the products of `rows`."""
        if self._compute is torch.float32:
            return self._multiply(rows)
        return self._multiply(rows.to(self._compute)).float()


def stack(
    parts: Sequence[Tensor], precision: FloatPrecision, device: torch.device | None = None
) -> Tensor:
    """Return tensors `[n, K]` of a checkpoint, one below the other, rounded, in the compute type.

    The result lies on the CPU unless `device` is another one.
    """
    rows, columns = sum(part.shape[0] for part in parts), parts[0].shape[1]
    weight = torch.empty(rows, columns, dtype=precision.compute, device=device)
    at = 0
    for part in parts:
        weight[at : at + part.shape[0]] = part.to(precision.rounding)
        at += part.shape[0]
    return weight


def _plain(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
    return lambda rows: functional.linear(rows, weight, bias)


def _prepack(weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor] | None:
    """Return oneDNN's product with `weight` repacked, or None where this build has none.

    These operators are what `torch.compile` itself emits on CPUs; they have no public name.
    """
    if weight.device.type != "cpu":
        return None
    try:
        reorder = _operator("_reorder_linear_weight")
        linear = _operator("_linear_pointwise")
        packed = reorder(weight)
        linear(torch.zeros(1, weight.shape[1], dtype=weight.dtype), packed, bias, "none", [], "")
    except (AttributeError, NotImplementedError, RuntimeError):
        return None
    return lambda rows: linear(rows, packed, bias, "none", [], "")


def _operator(name: str) -> Callable[..., Tensor]:
    return getattr(torch.ops.mkldnn, name).default


def row_quantum(layers: Iterable[Linear], max_rows: int) -> int:
    """Return the smallest multiple to pad rows to, so that each row's bits are its own affair.

    With the quantum q, any multiple of q rows up to `max_rows` gives each row, wherever it stands,
    bitwise the result of the full batch.
    """
    layers = list(layers)
    for quantum in QUANTA:
        if quantum >= max_rows or all(_is_invariant(it, quantum, max_rows) for it in layers):
            return min(quantum, max_rows)
    return max_rows


def _is_invariant(layer: Linear, quantum: int, max_rows: int) -> bool:
    rows = torch.randn(max_rows, layer.in_features, generator=torch.Generator().manual_seed(0))
    expected = layer(rows)
    if not torch.equal(layer(rows.roll(1, 0)), expected.roll(1, 0)):
        return False
    counts = [count for count in _PROBED if count < max_rows and count % quantum == 0]
    return all(torch.equal(layer(rows[:count]), expected[:count]) for count in counts)


def pad_rows(rows: Tensor, quantum: int) -> Tensor:
    """Return `rows` followed by zero rows up to a multiple of `quantum`."""
    missing = -rows.shape[0] % quantum
    return functional.pad(rows, (0, 0, 0, missing)) if missing else rows
