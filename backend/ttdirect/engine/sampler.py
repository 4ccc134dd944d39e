"""From logits to the next token, row by row, so that nobody's choice depends on a neighbour.

In the order of vLLM (`vllm/v1/sample/sampler.py`): bias and penalties change the raw logits, a
grammar or `min_tokens` forbids tokens, then come temperature, min_p, top_k and top_p. What is
reported as log-probability is the model's own, before all of that.
"""

from __future__ import annotations

import math
import os
import random
from typing import TYPE_CHECKING, Any, cast

import torch

from ttdirect.engine.penalties import Penalties
from ttdirect.engine.request import Token

if TYPE_CHECKING:
    from ttdirect.engine.request import Request, SamplingParams

LEAST = torch.finfo(torch.float64).min
LOWEST = torch.finfo(torch.float32).min
HIGHEST = torch.finfo(torch.float32).max
MANY = 1024
"""Tokens among which those of top_p nearly always are."""


class Sampler:
    """Chooses the tokens of one request, and remembers them.

    It owns the request's random numbers: one number is drawn for each token, from a generator
    seeded by the request alone, so the text is the same whatever row or batch it is served in.

    Ids of `logit_bias` that the model does not know are ignored: there is nothing to change.
    """

    def __init__(self, request: Request) -> None:
        self.params = params = request.sampling
        self.seed = int.from_bytes(os.urandom(8), "big") if params.seed is None else params.seed
        self._random = random.Random(self.seed)
        self._penalties = Penalties(request) if _has_penalties(params) else None
        grammar = request.grammar
        self._matcher = None if grammar is None else grammar.matcher(request.stop_ids)
        self._chosen = 0
        self._min_tokens = request.min_tokens
        self._stops = torch.tensor(sorted(request.stop_ids), dtype=torch.int64)
        bias = dict(params.logit_bias)
        self._biased = torch.tensor(list(bias), dtype=torch.int64)
        self._bias = torch.tensor(list(bias.values()), dtype=torch.float64)
        self.adjusts = bool(
            bias or self._penalties or self._matcher or (request.min_tokens and request.stop_ids)
        )
        """Whether anything is added to the logits, taken off or forbidden."""
        self.is_plain = params.is_greedy and not self.adjusts and params.top_logprobs is None
        """Whether the choice is always the likeliest token and nothing else, at every step."""

    def choose(self, logits: torch.Tensor) -> Token:
        """Choose a token.

        Args:
            logits: float tensor `[V]`, unnormalised log-probabilities; it is not changed.

        Returns:
            A token id from 0 to V-1, with log-probabilities if the request asked for them.

        Raises:
            GrammarError: the grammar cannot go on from here.
        """
        row = self._adjust(logits) if self.adjusts else logits
        token = int(torch.argmax(row)) if self.params.is_greedy else self._sample(row)
        self._note(token)
        return self._report(token, logits)

    def _adjust(self, logits: torch.Tensor) -> torch.Tensor:
        """A copy with what the request adds, takes off and forbids."""
        row = _finite(logits)
        known = self._biased < row.numel()
        row[self._biased[known]] += self._bias[known]
        if self._penalties is not None:
            self._penalties.apply(row)
        if self._matcher is not None:
            self._matcher.restrict(row)
        if self._chosen < self._min_tokens:
            longer = row.index_fill(0, self._stops[self._stops < row.numel()], -math.inf)
            # A grammar at its end allows nothing else: then the answer may end after all.
            row = longer if bool(longer.max() > -math.inf) else row
        return row

    def _sample(self, logits: torch.Tensor) -> int:
        # Float64: the running sum over a vocabulary of 100,000 must still reach 1. Measured from
        # the best, since infinite logits and tiny temperatures would make the softmax NaN.
        finite = torch.nan_to_num(logits.double(), nan=LEAST)
        scaled = (finite - finite.max()) / self.params.temperature
        if self.params.min_p > 0.0:
            scaled = scaled.masked_fill(scaled < math.log(self.params.min_p), -math.inf)
        probabilities = torch.softmax(scaled, dim=-1)
        if not self.params.top_k and self.params.top_p >= 1.0:
            return self._draw(probabilities)
        top = self._likeliest(probabilities)
        weights = top.values
        if self.params.top_p < 1.0:
            # Keep every token that starts below top_p: the one that crosses it stays too.
            limit = self.params.top_p * (float(weights.sum()) if self.params.top_k else 1.0)
            weights = weights * (torch.cumsum(weights, dim=-1) - weights < limit)
        return int(top.indices[self._draw(weights)])

    def _likeliest(self, probabilities: torch.Tensor) -> torch.return_types.topk:
        """Tokens in descending order: those of top_k, or enough of them to hold top_p."""
        count = probabilities.numel()
        if not self.params.top_k and count > MANY:
            # Sorting a vocabulary of 100,000 takes longer than a small model's whole step.
            top = torch.topk(probabilities, MANY)
            if float(top.values.sum()) >= self.params.top_p:
                return top
        return torch.topk(probabilities, min(self.params.top_k or count, count))

    def _draw(self, weights: torch.Tensor) -> int:
        """An index with a chance in proportion to its weight, by inverting the running sum."""
        running = torch.cumsum(weights, dim=-1)
        total = float(running[-1])
        # The product can round up to the sum, behind which nobody with a weight is left.
        target = min(self._random.random() * total, math.nextafter(total, 0.0))
        return int(torch.searchsorted(running, target, right=True))

    def _note(self, token: int) -> None:
        self._chosen += 1
        if self._penalties is not None:
            self._penalties.note(token)
        if self._matcher is not None:
            self._matcher.accept(token)

    def _report(self, token: int, logits: torch.Tensor) -> Token:
        count = self.params.top_logprobs
        if count is None:
            return Token(token)
        logprobs = torch.log_softmax(_finite(logits), dim=-1)
        best = torch.topk(logprobs, min(count, logprobs.numel()))
        top = zip(_list(best.indices), _list(best.values), strict=True)
        return Token(token, float(logprobs[token]), tuple(top))


def choose_all(samplers: list[Sampler], logits: torch.Tensor) -> list[Token | Exception]:
    """Choose one token for each row.

    Args:
        samplers: one for each row.
        logits: float tensor `[rows, V]`.

    Returns:
        One token for each row, or what was raised where none could be chosen: that is the end of
        one request, and none of the others'.
    """
    some_are_plain = any(sampler.is_plain for sampler in samplers)
    best = _list(torch.argmax(logits, dim=-1)) if some_are_plain else []
    return [
        Token(best[number]) if sampler.is_plain else _choose_or_fail(sampler, logits[number])
        for number, sampler in enumerate(samplers)
    ]


def _choose_or_fail(sampler: Sampler, row: torch.Tensor) -> Token | Exception:
    try:
        return sampler.choose(row)
    except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this row alone
        return error


def _has_penalties(params: SamplingParams) -> bool:
    return bool(
        params.presence_penalty or params.frequency_penalty or params.repetition_penalty != 1.0
    )


def _finite(logits: torch.Tensor) -> torch.Tensor:
    """A copy in float64, within float32's range: minus infinity is left to mean forbidden."""
    return torch.nan_to_num(logits.double(), nan=LOWEST, neginf=LOWEST, posinf=HIGHEST)


def _list(values: torch.Tensor) -> list[Any]:
    """Python's numbers in one go, which is much faster than one by one."""
    return cast("Any", values).tolist()  # its own types are incomplete
