"""From logits to the next token, row by row, so that nobody's choice depends on a neighbour."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ttdirect.engine.request import SamplingParams

LEAST = torch.finfo(torch.float64).min


class Sampler:
    """Chooses the tokens of one request.

    It owns the request's random numbers: one number is drawn for each token, from a generator
    seeded by the request alone, so the text is the same whatever row or batch it is served in.
    """

    def __init__(self, params: SamplingParams) -> None:
        self.params = params
        seed = int.from_bytes(os.urandom(8), "big") if params.seed is None else params.seed
        self._random = random.Random(seed)

    def choose(self, logits: torch.Tensor) -> int:
        """Choose a token.

        Args:
            logits: float tensor `[V]`, unnormalised log-probabilities.

        Returns:
            A token id from 0 to V-1.
        """
        if self.params.is_greedy:
            return int(torch.argmax(logits))
        # Float64: the running sum over a vocabulary of 100,000 must still reach 1. Measured from
        # the best, since infinite logits and tiny temperatures would make the softmax NaN.
        finite = torch.nan_to_num(logits.double(), nan=LEAST)
        scaled = (finite - finite.max()) / self.params.temperature
        if not self.params.top_k and self.params.top_p >= 1.0:
            probabilities = torch.softmax(scaled, dim=-1)
            return self._draw(probabilities)
        keep = self.params.top_k or scaled.numel()
        top = torch.topk(scaled, min(keep, scaled.numel()))
        probabilities = torch.softmax(top.values, dim=-1)
        if self.params.top_p < 1.0:
            # Keep every token that starts below top_p: the one that crosses it stays too.
            before = torch.cumsum(probabilities, dim=-1) - probabilities
            probabilities = probabilities * (before < self.params.top_p)
        return int(top.indices[self._draw(probabilities)])

    def _draw(self, weights: torch.Tensor) -> int:
        """An index with a chance in proportion to its weight, by inverting the running sum."""
        running = torch.cumsum(weights, dim=-1)
        target = self._random.random() * float(running[-1])
        index = int(torch.searchsorted(running, target, right=True))
        return min(index, weights.numel() - 1)


def choose_all(samplers: list[Sampler], logits: torch.Tensor) -> list[int]:
    """Choose one token for each row.

    Args:
        samplers: one for each row.
        logits: float tensor `[rows, V]`.

    Returns:
        One token id for each row.
    """
    if all(sampler.params.is_greedy for sampler in samplers):
        return [int(token) for token in torch.argmax(logits, dim=-1)]
    return [sampler.choose(row) for sampler, row in zip(samplers, logits, strict=True)]
