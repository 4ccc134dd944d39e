"""A request that has left the outside world: token ids and numbers, checked and frozen."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum


class FinishReason(str, Enum):
    """Why an answer ended. The values are the ones clients of OpenAI's API know, plus ours."""

    STOP = "stop"  # the model said it was done, or a stop string appeared
    LENGTH = "length"  # max_tokens reached, or no room left in the context
    ABORT = "abort"  # the server had to end it: drain time over
    CANCELLED = "cancelled"  # the client went away
    DEADLINE = "deadline"  # took longer than the server allows
    ERROR = "error"  # the engine failed


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How the next token is chosen from the logits.

    Args:
        temperature: 0.0 takes the most likely token (greedy); up to 2.0.
        top_p: keep the most likely tokens that together hold this probability, 0 < top_p <= 1.
        top_k: keep the `top_k` most likely tokens; 0 keeps all.
        seed: the same seed gives the same text, whoever else is served; None draws a fresh one.

    Raises:
        ValueError: a number is out of its range or not finite.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and 0.0 <= self.temperature <= 2.0):
            raise ValueError(f"temperature must be from 0.0 to 2.0, not {self.temperature}")
        if not (math.isfinite(self.top_p) and 0.0 < self.top_p <= 1.0):
            raise ValueError(f"top_p must be above 0.0 and at most 1.0, not {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (off) or more, not {self.top_k}")

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
    """

    prompt_ids: tuple[int, ...]
    max_tokens: int
    sampling: SamplingParams = field(default_factory=SamplingParams)
    stop_ids: frozenset[int] = frozenset()
    timeout_seconds: float | None = None
    every_token: bool = True

    def __post_init__(self) -> None:
        if not self.prompt_ids:
            raise ValueError("the prompt has no tokens")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, not {self.max_tokens}")
