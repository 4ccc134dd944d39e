"""One request on its way through the engine: its slot, its blocks, its tokens, its times."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass

from ttdirect.engine.request import FinishReason, Request
from ttdirect.engine.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Finished:
    """The last thing a sequence hands over.

    Args:
        reason: why it ended.
        tokens: all tokens of the answer.
        at: when, by `time.monotonic()`.
    """

    reason: FinishReason
    tokens: tuple[int, ...]
    at: float


class Sequence:
    """The state of one request.

    The engine thread alone writes it; the thread that asked reads `events` and the times.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sampler = Sampler(request.sampling)
        self.tokens: list[int] = []
        self.slot: int | None = None
        self.blocks: list[int] = []
        self.events: queue.SimpleQueue[int | Finished] = queue.SimpleQueue()
        self.submitted_at = time.monotonic()
        self.admitted_at: float | None = None
        self.first_token_at: float | None = None
        self.finished: Finished | None = None

    @property
    def deadline(self) -> float | None:
        """When the request has to be done, by `time.monotonic()`."""
        timeout = self.request.timeout_seconds
        return None if timeout is None else self.submitted_at + timeout

    @property
    def position(self) -> int:
        """Where the newest token's keys and values go: the number of tokens in the cache."""
        return len(self.request.prompt_ids) + len(self.tokens) - 1

    def accept(self, token: int) -> FinishReason | None:
        """Take the token the model chose.

        Returns:
            Why the answer is complete, or None when it goes on.
        """
        if self.first_token_at is None:
            self.first_token_at = time.monotonic()
        if token in self.request.stop_ids:
            return FinishReason.STOP
        self.tokens.append(token)
        if self.request.every_token:
            self.events.put(token)
        if len(self.tokens) >= self.request.max_tokens:
            return FinishReason.LENGTH
        return None

    def finish(self, reason: FinishReason) -> None:
        """Close the sequence; whoever waits for it is woken."""
        self.finished = Finished(reason, tuple(self.tokens), time.monotonic())
        self.events.put(self.finished)
