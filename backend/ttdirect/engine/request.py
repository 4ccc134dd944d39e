"""A request that has left the outside world: token ids and numbers, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttdirect.engine.grammar import Grammar


class FinishReason(str, Enum):
    """Why an answer ended. The values are the ones clients of OpenAI's API know, plus ours."""

    STOP = "stop"  # the model said it was done, or a stop string appeared
    LENGTH = "length"  # max_tokens reached, or no room left in the context
    ABORT = "abort"  # the server had to end it: drain time over
    CANCELLED = "cancelled"  # the client went away
    DEADLINE = "deadline"  # took longer than the server allows
    ERROR = "error"  # the engine failed


MAX_TOP_LOGPROBS = 20
"""OpenAI's limit."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer.

    Args:
        id: its token id.
        logprob: the natural logarithm of its probability, by the model alone: before temperature,
            penalties and bias. None when the request asked for none.
        top: the most likely tokens at this place with theirs, the likeliest first.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


_RANGES = {
    "temperature": (0.0, 2.0),
    "min_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}
_POSITIVE = {"top_p": 1.0, "repetition_penalty": 2.0}


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen from the logits.

    Args:
        temperature: 0.0 takes the most likely token (greedy); up to 2.0.
        top_p: keep the most likely tokens that together hold this probability, 0 < top_p <= 1.
        top_k: keep the `top_k` most likely tokens; 0 keeps all.
        seed: the same seed gives the same text, whoever else is served; None draws a fresh one.
        min_p: keep the tokens at least this share as likely as the most likely one, 0 to 1.
        presence_penalty: taken off the logit of every token that the answer holds, -2 to 2.
        frequency_penalty: the same, for each time that the answer holds it, -2 to 2.
        repetition_penalty: divides what speaks for a token that prompt or answer hold (and
            multiplies what speaks against it), above 0 and at most 2; 1 is off.
        logit_bias: pairs of a token id and what is added to its logit, -100 to 100.
        top_logprobs: log-probabilities to report for each token: None for none at all, 0 for the
            chosen token's alone, up to 20 for the most likely ones beside it.

    Raises:
        ValueError: a number is out of its range or not finite.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    top_logprobs: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            if not low <= (value := getattr(self, name)) <= high:  # false for NaN, too
                raise ValueError(f"{name} must be from {low} to {high}, not {value}")
        for name, high in _POSITIVE.items():
            if not 0.0 < (value := getattr(self, name)) <= high:
                raise ValueError(f"{name} must be above 0.0 and at most {high}, not {value}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (off) or more, not {self.top_k}")
        for token, bias in self.logit_bias:
            if token < 0 or not -100.0 <= bias <= 100.0:
                raise ValueError(f"logit_bias must be from -100 to 100 for a token id, not {bias}")
        if self.top_logprobs is not None and not 0 <= self.top_logprobs <= MAX_TOP_LOGPROBS:
            raise ValueError(
                f"top_logprobs must be from 0 to {MAX_TOP_LOGPROBS}, not {self.top_logprobs}"
            )

    @property
    def is_greedy(self) -> bool:
        """Whether the choice needs no randomness."""
        return self.temperature == 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to be continued, as the engine sees it.

    Args:
        prompt_ids: the prompt's tokens, at least one.
        max_tokens: the answer's longest length in tokens, at least 1.
        sampling: how tokens are chosen.
        stop_ids: token ids that end the answer and are not part of it.
        timeout_seconds: the longest time from submission to the last token; None for no limit.
        every_token: hand tokens over one by one as they come (a stream, or stop strings to
            look for) instead of all at the end, which costs the threads less.
        min_tokens: so many tokens come before any of `stop_ids` may.
        grammar: what the answer has to look like, or None for anything.
    """

    prompt_ids: tuple[int, ...]
    max_tokens: int
    sampling: SamplingParams = field(default_factory=SamplingParams)
    stop_ids: frozenset[int] = frozenset()
    timeout_seconds: float | None = None
    every_token: bool = True
    min_tokens: int = 0
    grammar: Grammar | None = None

    def __post_init__(self) -> None:
        if not self.prompt_ids:
            raise ValueError("the prompt has no tokens")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
