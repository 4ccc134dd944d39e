"""One request on its way through the engine: its slot, its blocks, its tokens, its times."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass

from ttdirect.engine.drafts import Drafter
from ttdirect.engine.request import FinishReason, Request, Token
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
    tokens: tuple[Token, ...]
    at: float


class Sequence:
    """The state of one request.

    The engine thread alone writes it; the thread that asked reads `events` and the times.
    """

    def __init__(self, request: Request, digests: tuple[bytes, ...] = ()) -> None:
        self.request = request
        self.digests = digests
        """Names of the prompt's full blocks, for the prefix cache."""
        self.sampler = Sampler(request)
        self.tokens: list[Token] = []
        self.generated = 0
        """Tokens that the model made for the answer, the end token included."""
        self.slot: int | None = None
        self.blocks: list[int] = []
        self.cached_tokens = 0
        """Tokens of the prompt that the prefix cache held at admission."""
        self.read_tokens = 0
        """Tokens of the prompt that are in the KV cache."""
        self.sampled_on_host = False
        """Whether a decode step has left the choice of a token to `sampler`."""
        self.events: queue.SimpleQueue[Token | Finished] = queue.SimpleQueue()
        self._drafter: Drafter | None = None
        self.submitted_at = time.monotonic()
        self.admitted_at: float | None = None
        self.first_token_at: float | None = None
        self.last_token_at: float | None = None
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

    @property
    def is_read(self) -> bool:
        """Whether the whole prompt is in the KV cache, so that the answer can go on."""
        return self.read_tokens == len(self.request.prompt_ids)

    def draft(self, most: int) -> tuple[int, ...]:
        """Guess the next tokens: at most so many, and one less than the answer may still have.

        So the answer's own blocks hold them all.
        """
        most = min(most, self.request.max_tokens - len(self.tokens) - 1)
        if most < 1:
            return ()
        if self._drafter is None:
            self._drafter = Drafter(self.request)
        return self._drafter.draft(self.tokens, most)

    def accept(self, token: Token, at: float) -> FinishReason | None:
        """Take the token that was chosen at a moment, by `time.monotonic()`.

        Returns:
            Why the answer is complete, or None when it goes on.
        """
        if self.first_token_at is None:
            self.first_token_at = at
        self.last_token_at = at
        self.generated += 1
        if token.id in self.request.stop_ids:
            return FinishReason.STOP
        self.tokens.append(token)
        if self.request.every_token:
            self.events.put(token)
        if len(self.tokens) >= self.request.max_tokens:
            return FinishReason.LENGTH
        return None

    def finish(self, reason: FinishReason) -> None:
        """Close the sequence; whoever waits for it is woken."""
        self._drafter = None
        self.finished = Finished(reason, tuple(self.tokens), time.monotonic())
        self.events.put(self.finished)
