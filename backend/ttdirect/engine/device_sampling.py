"""Letting the device choose the tokens, where every request of a step allows it.

The host then reads B tokens instead of B times V logits (32 * 128,256 * 4 = 16 MB a step), and
sends nothing at all in a steady step. It is an option: tt-metal's sampler is greedy or draws from
the 32 likeliest tokens at most, and what it cannot do sends the whole batch back to the host, as in
vllm-tt-plugin (`check_perform_device_sampling`): min_p, logit_bias, a grammar, log-probabilities.
Penalties and seeds stay with the host too: a seed promises the same text whoever else is served.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.engine.sampler import Sampler

MOST_TOP_K = 32
"""The card's sampler keeps 1 to 32 tokens; tt-metal clamps what is beyond, in silence."""

SEEDS = 1 << 31


@dataclasses.dataclass(frozen=True, slots=True)
class RowSampling:
    """How the device is to choose one row's token; as it stands, greedily.

    Args:
        temperature: 0.0 for the likeliest token.
        top_k: 1 to 32.
        top_p: above 0.0, at most 1.0.
        seed: for eras whose sampler has one for each row.
    """

    temperature: float = 0.0
    top_k: int = 1
    top_p: float = 1.0
    seed: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceSampling:
    """How the device is to choose the tokens of a step: B entries, neutral where a row is idle."""

    rows: tuple[RowSampling, ...]

    def as_params(self, kind: type) -> Any:
        """The `SamplingParams` of an era: lists of length B, for those fields that it has."""
        fields = {field.name for field in dataclasses.fields(kind)}
        names = [field.name for field in dataclasses.fields(RowSampling) if field.name in fields]
        return kind(**{name: [getattr(row, name) for row in self.rows] for name in names})


def neutral(rows: int) -> DeviceSampling:
    """Greedy in every row."""
    return DeviceSampling((RowSampling(),) * rows)


def row_sampling(sampler: Sampler) -> RowSampling | None:
    """What the device would have to do for a request, or None where only the host can."""
    params = sampler.params
    if sampler.is_plain:
        return RowSampling()
    if sampler.adjusts or params.top_logprobs is not None or params.is_greedy:
        return None
    if params.seed is not None or params.min_p or not 1 <= params.top_k <= MOST_TOP_K:
        return None
    return RowSampling(params.temperature, params.top_k, params.top_p, sampler.seed % SEEDS)


def device_sampling(samplers: Mapping[int, Sampler], rows: int) -> DeviceSampling | None:
    """How the device is to sample a step, or None where the host has to.

    Args:
        samplers: those of the active rows, by row.
        rows: B.
    """
    chosen: dict[int, RowSampling] = {}
    for row, sampler in samplers.items():
        wanted = row_sampling(sampler)
        if wanted is None:
            return None
        chosen[row] = wanted
    idle = RowSampling()
    return DeviceSampling(tuple(chosen.get(row, idle) for row in range(rows)))
