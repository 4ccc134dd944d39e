"""Rotary position embeddings: how a checkpoint scales them, and the tables of cosines and sines.

Each formula names its paper; all are checked against `transformers` (modeling_rope_utils) by tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ttdirect.generator.errors import UnsupportedModelError


@dataclass(frozen=True)
class RopeSpec:
    """What `config.json` says about rotary embeddings, with the defaults filled in.

    `rotary_dim` is how many of a head's dimensions turn; `original_context` is the context length
    of the pre-training, which the scaled kinds refer to.
    """

    kind: str
    theta: float
    rotary_dim: int
    max_context: int
    original_context: int
    factor: float = 1.0
    attention_factor: float | None = None
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    beta_fast: float = 32.0
    beta_slow: float = 1.0
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True
    short_factor: tuple[float, ...] = ()


KINDS = ("default", "linear", "dynamic", "llama3", "yarn", "longrope")


def rope_tables(rope: RopeSpec, max_seq_len: int) -> tuple[Tensor, Tensor]:
    """Return cos and sin for `rotate`, each float32 `[max_seq_len, rotary_dim]`.

    Sin is negative in the first half, so that a rotation is two products and a sum.

    Raises:
        UnsupportedModelError: `max_seq_len` reaches beyond the length up to which the scaling is
            the same for every request (kinds `dynamic` and `longrope`).
    """
    frequencies, magnitude = _frequencies(rope, max_seq_len)
    angles = torch.arange(max_seq_len, dtype=torch.float32)[:, None] * frequencies
    cos, sin = angles.cos() * magnitude, angles.sin() * magnitude
    return torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)


def _frequencies(rope: RopeSpec, max_seq_len: int) -> tuple[Tensor, float]:
    """Return the turning speed of each pair of dimensions and the factor on cos and sin."""
    exponents = torch.arange(0, rope.rotary_dim, 2, dtype=torch.int64).float() / rope.rotary_dim
    plain = 1.0 / (rope.theta**exponents)
    if rope.kind == "default":
        return plain, 1.0
    if rope.kind == "linear":  # Chen et al. 2023, position interpolation
        return plain / rope.factor, 1.0
    if rope.kind == "dynamic":  # NTK-aware: starts to scale beyond the model's own context
        _refuse_beyond(rope, max_seq_len, rope.max_context)
        return plain, 1.0
    if rope.kind == "llama3":
        return _llama3(rope, plain), 1.0
    if rope.kind == "yarn":
        return _yarn(rope, plain)
    return _longrope(rope, exponents, max_seq_len)


def _refuse_beyond(rope: RopeSpec, max_seq_len: int, limit: int) -> None:
    if max_seq_len > limit:
        raise UnsupportedModelError(
            f'This model\'s RoPE scaling ("{rope.kind}") changes with the length of each text '
            f"beyond {limit} tokens, which a cache shared by many requests cannot follow.",
            f"Start with max_seq_len={limit} or less.",
        )


def _llama3(rope: RopeSpec, plain: Tensor) -> Tensor:
    """Llama 3.1's scaling: slow frequencies are divided, fast ones kept, those between blended."""
    wavelength = 2 * math.pi / plain
    slowest, fastest = (
        rope.original_context / rope.low_freq_factor,
        rope.original_context / rope.high_freq_factor,
    )
    blend = (rope.original_context / wavelength - rope.low_freq_factor) / (
        rope.high_freq_factor - rope.low_freq_factor
    )
    blended = (1 - blend) * plain / rope.factor + blend * plain
    scaled = torch.where(wavelength > slowest, plain / rope.factor, blended)
    return torch.where(wavelength < fastest, plain, scaled)


def _yarn(rope: RopeSpec, plain: Tensor) -> tuple[Tensor, float]:
    """YaRN (Peng et al. 2023): interpolate slow dimensions, extrapolate fast ones."""
    dim = rope.rotary_dim

    def dimension_at(rotations: float) -> float:
        turns = rope.original_context / (rotations * 2 * math.pi)
        return dim * math.log(turns) / (2 * math.log(rope.theta))

    low, high = dimension_at(rope.beta_fast), dimension_at(rope.beta_slow)
    if rope.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dim - 1)
    if low == high:
        high += 0.001  # the ramp below would divide by zero
    ramp = ((torch.arange(dim // 2, dtype=torch.float32) - low) / (high - low)).clamp(0, 1)
    frequencies = plain / rope.factor * ramp + plain * (1 - ramp)

    def magnitude(mscale: float) -> float:
        return 1.0 if rope.factor <= 1 else 0.1 * mscale * math.log(rope.factor) + 1.0

    if rope.attention_factor is not None:
        return frequencies, rope.attention_factor
    if rope.mscale and rope.mscale_all_dim:
        return frequencies, magnitude(rope.mscale) / magnitude(rope.mscale_all_dim)
    return frequencies, magnitude(1.0)


def _longrope(rope: RopeSpec, exponents: Tensor, max_seq_len: int) -> tuple[Tensor, float]:
    """LongRoPE (Ding et al. 2024): one factor per dimension, other ones for longer texts."""
    _refuse_beyond(rope, max_seq_len, rope.original_context)
    frequencies = 1.0 / (torch.tensor(rope.short_factor) * rope.theta**exponents)
    if rope.attention_factor is not None:
        return frequencies, rope.attention_factor
    if rope.factor <= 1:
        return frequencies, 1.0
    return frequencies, math.sqrt(1 + math.log(rope.factor) / math.log(rope.original_context))


def rotate(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the first dimensions of each head by its row's angles.

    `heads` is `[rows, heads, head_dim]`, `cos` and `sin` `[rows, 1, rotary_dim]`. The halves of the
    rotary part form the pairs, as in every Hugging Face checkpoint of these families. Only products
    and sums, which IEEE rounds alike in scalar and vector code: a row's result does not depend on
    where in the batch it stands.
    """
    turning = cos.shape[-1]
    if turning == heads.shape[-1]:
        return (heads * cos).add_(heads.roll(turning // 2, -1).mul_(sin))
    rotated = rotate(heads[..., :turning], cos, sin)
    return torch.cat([rotated, heads[..., turning:]], dim=-1)
