"""Which number formats a model uses: how weights are rounded, stored and multiplied."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import torch

from ttdirect.generator.device import DataType
from ttdirect.generator.errors import UnknownPrecisionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


SETTING = "TTDIRECT_PRECISION"


@dataclass(frozen=True)
class FloatPrecision:
    """Weights as floating-point numbers, multiplied by PyTorch.

    Norms, rotary embeddings, softmax and logits are float32 always.

    Args:
        rounding: what the checkpoint's values are rounded to first.
        compute: what the products run in.
        cache: the type of the KV cache.
        name: for people.
    """

    rounding: torch.dtype
    compute: torch.dtype
    cache: torch.dtype
    name: str

    def round(self, weight: Tensor) -> Tensor:
        """Return the checkpoint's values as the model means them, in the compute type."""
        return weight.to(self.rounding).to(self.compute)


@dataclass(frozen=True)
class IntegerPrecision:
    """Weights as integers with a scale to each group of them (see `quantise`).

    Args:
        bits: of an integer in the layers, 8 or 4; the output projection has 8 always.
    """

    bits: int

    rounding: ClassVar = torch.bfloat16
    cache: ClassVar = torch.bfloat16

    @property
    def name(self) -> str:
        """For people."""
        return f"int{self.bits} weights with 16-bit activations"


Precision: TypeAlias = FloatPrecision | IntegerPrecision

EXACT = FloatPrecision(torch.float32, torch.float32, torch.float32, "float32")
NATIVE_BF16 = FloatPrecision(torch.bfloat16, torch.bfloat16, torch.bfloat16, "bfloat16")
EMULATED_BF16 = FloatPrecision(
    torch.bfloat16,
    torch.float32,
    torch.float32,
    "bfloat16 weights computed in float32 (this CPU has no bfloat16 instructions)",
)
INT8, INT4 = IntegerPrecision(8), IntegerPrecision(4)

_SETTINGS = {
    "fp32": DataType.FLOAT32,
    "bf16": DataType.BFLOAT16,
    "int8": DataType.BFLOAT8_B,
    "int4": DataType.BFLOAT4_B,
}


def choose_precision(dtype: DataType) -> Precision:
    """Return the precision for a ttnn data type on this CPU.

    The environment variable TTDIRECT_PRECISION goes first: fp32, bf16, int8 or int4; with auto, or
    without it, the data type decides.

    Raises:
        UnknownPrecisionError: the variable names another one.
    """
    setting = os.environ.get(SETTING, "").strip().lower() or "auto"
    if setting != "auto" and setting not in _SETTINGS:
        raise UnknownPrecisionError(
            f"{SETTING} is {setting!r}, which is no precision.",
            f"Set it to one of: auto, {', '.join(_SETTINGS)}.",
        )
    chosen = _SETTINGS.get(setting, dtype)
    if chosen is DataType.FLOAT32:
        return EXACT
    if chosen is DataType.BFLOAT8_B:
        return INT8
    if chosen is DataType.BFLOAT4_B:
        return INT4
    return float_precision()


def float_precision() -> FloatPrecision:
    """Return how bfloat16 weights are computed on this CPU."""
    return NATIVE_BF16 if cpu_multiplies_bf16() else EMULATED_BF16


def without_library(precision: IntegerPrecision) -> FloatPrecision:
    """Return what stands in for integer weights where nothing computes them: bfloat16."""
    floats = float_precision()
    return replace(floats, name=f"{floats.name}, because int{precision.bits} needs another CPU")


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
