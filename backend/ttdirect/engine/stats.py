"""What the engine has counted since it started, for whoever draws dashboards.

Any thread may read at any time, without waiting; what it reads is at most one step old. Names and
counting rules are vLLM's (`vllm/v1/metrics`): an end token counts as generated.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence as Items

    from ttdirect.engine.request import FinishReason
    from ttdirect.engine.sequence import Sequence

SECONDS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0,
           120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0)  # fmt: skip
TTFT_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
                7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0)  # fmt: skip
ITL_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5,
               10.0, 20.0, 40.0, 80.0)  # fmt: skip
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
STEP_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Histogram:
    """How often values fell into which range.

    Args:
        bounds: upper bounds of the ranges, ascending; a last range has none.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, `times` over."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times


@dataclass(slots=True)
class Stats:
    """Counters and histograms; seconds and tokens.

    Attributes:
        prompt_tokens: tokens of prompts, what the prefix cache held included.
        generation_tokens: tokens of answers.
        prefix_queries: tokens that were looked up in the prefix cache.
        prefix_hits: those that it held.
        drafts: drafts that were verified.
        draft_tokens: tokens of those drafts.
        accepted_draft_tokens: those of them that became tokens of answers.
        finished: requests that ended, by reason.
        refused: requests that were not admitted, by reason.
        failed_steps: steps in which the model raised.
        iteration_tokens: tokens computed in one step.
        time_to_first_token, inter_token_latency, e2e_latency, queue_time, prefill_time,
        decode_time, inference_time: seconds.
        request_prompt_tokens, request_generation_tokens, request_max_tokens: of one request.
    """

    prompt_tokens: int = 0
    generation_tokens: int = 0
    prefix_queries: int = 0
    prefix_hits: int = 0
    drafts: int = 0
    draft_tokens: int = 0
    accepted_draft_tokens: int = 0
    finished: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    failed_steps: int = 0
    iteration_tokens: Histogram = field(default_factory=lambda: Histogram(STEP_TOKENS))
    time_to_first_token: Histogram = field(default_factory=lambda: Histogram(TTFT_SECONDS))
    inter_token_latency: Histogram = field(default_factory=lambda: Histogram(ITL_SECONDS))
    e2e_latency: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    queue_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    prefill_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    decode_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    inference_time: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    request_prompt_tokens: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_generation_tokens: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_max_tokens: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    _refusing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refuse(self, reason: str) -> None:
        """A request was not admitted; any thread may say so."""
        with self._refusing:
            self.refused[reason] += 1

    def admitted(self, sequence: Sequence) -> None:
        """A request left the queue; what it found in the prefix cache is known."""
        self.prefix_queries += len(sequence.request.prompt_ids)
        self.prefix_hits += sequence.cached_tokens

    def computed_prompt(self, tokens: int) -> None:
        """A step has computed so many tokens of a prompt and, at its end, of its answer."""
        self.iteration_tokens.observe(tokens)

    def decoded(self, made: Items[tuple[Sequence, int]], at: float) -> None:
        """A step has made so many tokens for each of these; `at` is when it ended.

        Tokens that came together have each taken an equal part of the time.
        """
        tokens = sum(count for _, count in made)
        self.iteration_tokens.observe(tokens)
        self.generation_tokens += tokens
        for sequence, count in made:
            if sequence.last_token_at is not None:
                self.inter_token_latency.observe((at - sequence.last_token_at) / count, count)

    def verified(self, drafted: int, accepted: int) -> None:
        """A draft of so many tokens was computed, and so many of them were right."""
        self.drafts += 1
        self.draft_tokens += drafted
        self.accepted_draft_tokens += accepted

    def read(self, sequence: Sequence) -> None:
        """A prompt was read to its end, and its first token is there."""
        self.prompt_tokens += len(sequence.request.prompt_ids)
        self.generation_tokens += 1
        if sequence.first_token_at is not None:
            self.time_to_first_token.observe(sequence.first_token_at - sequence.submitted_at)

    def ended(self, sequence: Sequence, reason: FinishReason, at: float) -> None:
        """A request is over; `at` is when, by `time.monotonic()`.

        Without a token there is nothing to say about its prefill and decode.
        """
        self.finished[reason.value] += 1
        self.e2e_latency.observe(at - sequence.submitted_at)
        self.request_prompt_tokens.observe(len(sequence.request.prompt_ids))
        self.request_generation_tokens.observe(sequence.generated)
        self.request_max_tokens.observe(sequence.request.max_tokens)
        if sequence.admitted_at is None:
            return
        self.queue_time.observe(sequence.admitted_at - sequence.submitted_at)
        if sequence.first_token_at is None or sequence.last_token_at is None:
            return
        self.prefill_time.observe(sequence.first_token_at - sequence.admitted_at)
        self.decode_time.observe(sequence.last_token_at - sequence.first_token_at)
        self.inference_time.observe(sequence.last_token_at - sequence.admitted_at)
