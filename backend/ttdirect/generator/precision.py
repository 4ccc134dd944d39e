"""Which number formats a model uses: how weights are rounded, stored and multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ttdirect.generator.device import DataType

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Precision:
    """`rounding` is what the weights' values are rounded to, `compute` what products run in.

    The KV cache has the `compute` type. Norms, rotary embeddings, softmax and logits are float32
    always.
    """

    rounding: torch.dtype
    compute: torch.dtype
    name: str

    def round(self, weight: Tensor) -> Tensor:
        """Return the weight's values as the model means them, in the compute type."""
        return weight.to(self.rounding).to(self.compute)


EXACT = Precision(torch.float32, torch.float32, "float32")
NATIVE_BF16 = Precision(torch.bfloat16, torch.bfloat16, "bfloat16")
EMULATED_BF16 = Precision(
    torch.bfloat16,
    torch.float32,
    "bfloat16 weights computed in float32 (this CPU has no bfloat16 instructions)",
)


def choose_precision(dtype: DataType) -> Precision:
    """Return the precision for a ttnn data type on this CPU."""
    if dtype is DataType.FLOAT32:
        return EXACT
    return NATIVE_BF16 if cpu_multiplies_bf16() else EMULATED_BF16


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bfloat16 products (AVX512-BF16 or AMX).

    PyTorch computes bfloat16 without them too, one row after another and several times slower than
    float32. Its checks are private and differ between versions, so an absent one counts as "no".
    """
    checks: list[Callable[[], bool]] = [
        getattr(torch.cpu, name)
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if hasattr(torch.cpu, name)
    ]
    return any(check() for check in checks)
