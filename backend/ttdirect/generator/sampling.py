"""Sampling on the device: what `sampling_params` asks the Generator for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MAX_TOP_K = 32
"""The widest choice of the card's sampler; `top_k` is clamped to 1..32 (below 1 means 32)."""


@dataclass(frozen=True)
class SamplingParams:
    """How to choose the next token, one value for all rows or a list with one for each row.

    Temperature 0 is greedy. Names as in tt-metal models/tt_transformers tt/generator.py.
    """

    temperature: float | list[float]
    top_k: int | list[int]
    top_p: float | list[float]


def sample(logits: Tensor, params: SamplingParams, rows: Sequence[int] | None = None) -> Tensor:
    """Return int64 `[n]`: a token for each row of `logits` `[n, vocab_size]`.

    `rows` says which entries of the parameters' lists are meant, by default the first n. Top-k
    first, then temperature, then top-p over what is left, as on the card. Draws from PyTorch's
    global random generator.

    Raises:
        ValueError: a list in `params` is too short.
    """
    chosen = range(logits.shape[0]) if rows is None else rows
    tokens = torch.argmax(logits, dim=-1)
    for index, row in enumerate(chosen):
        temperature = _of_row(params.temperature, row, "temperature")
        if temperature > 0:
            top_k, top_p = _of_row(params.top_k, row, "top_k"), _of_row(params.top_p, row, "top_p")
            tokens[index] = _draw(logits[index], temperature, int(top_k), top_p)
    return tokens


def _of_row(value: float | Sequence[float], row: int, name: str) -> float:
    if isinstance(value, (int, float)):
        return value
    if row >= len(value):
        raise ValueError(f"SamplingParams.{name} has {len(value)} values and none for row {row}")
    return value[row]


def _draw(logits: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    width = MAX_TOP_K if top_k < 1 else min(top_k, MAX_TOP_K)
    best, tokens = logits.topk(min(width, logits.shape[0]))
    probabilities = torch.softmax(best / temperature, -1)
    # A token stays while those before it have not reached top_p; so the first always stays.
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities * ((before < top_p) | (before == 0))
    return tokens[torch.multinomial(probabilities, 1)[0]]
