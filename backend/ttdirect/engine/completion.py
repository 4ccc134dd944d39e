"""An answer in the making, from the side of the thread that asked."""

from __future__ import annotations

import itertools
import logging
import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.engine.errors import DeadlineError, NotReadyError, StepFailedError
from ttdirect.engine.request import FinishReason, Token
from ttdirect.engine.sequence import Finished, Sequence
from ttdirect.engine.text import IncrementalDecoder, StopWatcher, TextCodec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger("ttdirect.requests")

TICK_SECONDS = 0.25
"""How often a waiting thread gets a chance to notice that its client has left."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What an answer cost.

    Args:
        tokens_generated: tokens of the answer, the end token not counted.
        time_seconds: from submission to the last token.
        tokens_per_second: `tokens_generated / time_seconds`.
        ttft_seconds: time to first token, from submission, the wait in the queue included.
        queue_seconds: time spent waiting for a slot.
        finish_reason: why the answer ended.
        prompt_tokens: tokens of the prompt.
        cached_tokens: those that the prefix cache held, so that they were not computed again.
    """

    tokens_generated: int
    time_seconds: float
    tokens_per_second: float
    ttft_seconds: float
    queue_seconds: float
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int

    def as_json(self) -> dict[str, float | str]:
        """The figures under the names of the HTTP contract, rounded for people."""
        return {
            "tokens_generated": self.tokens_generated,
            "time_seconds": round(self.time_seconds, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
            "ttft_seconds": round(self.ttft_seconds, 3),
            "queue_seconds": round(self.queue_seconds, 3),
            "finish_reason": self.finish_reason.value,
        }


class Completion:
    """One answer: iterate over `pieces()`, then read `text` and `figures`.

    Args:
        sequence: the engine's side of the request.
        codec: turns tokens into text.
        stops: strings that end the answer and are not part of it.
        cancel: tells the engine to drop the sequence, and why.
        preview: the prompt's beginning, for the log.
    """

    def __init__(
        self,
        sequence: Sequence,
        codec: TextCodec,
        stops: tuple[str, ...],
        cancel: Callable[[Sequence, FinishReason], None],
        preview: str,
    ) -> None:
        self.number = next(_numbers)
        self.text = ""
        self.tokens: list[Token] = []
        """The tokens read so far; text of the last ones may still be held back."""
        self.figures: Figures | None = None
        self._sequence = sequence
        self._decoder = IncrementalDecoder(codec)
        self._watcher = StopWatcher(stops)
        self._cancel = cancel
        request = sequence.request
        log.info(
            "#%d asks  %s  (%d tokens, up to %d more)",
            self.number,
            preview,
            len(request.prompt_ids),
            request.max_tokens,
            extra=_fields(
                "asks",
                self.number,
                prompt_tokens=len(request.prompt_ids),
                max_tokens=request.max_tokens,
            ),
        )

    def pieces(self) -> Iterator[str]:
        """The answer's text as it comes; "" when nothing came for `TICK_SECONDS`.

        Whoever stops iterating before the end gives the slot back.

        Raises:
            NotReadyError: the server shut down before the request had its turn.
            DeadlineError: the answer took too long.
            StepFailedError: the engine failed.
        """
        try:
            while self.figures is None:
                try:
                    event = self._sequence.events.get(timeout=TICK_SECONDS)
                except queue.Empty:
                    yield ""
                    continue
                if piece := self._take(event):
                    self.text += piece
                    yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Drop the request if it is not complete; its slot is free after the current step."""
        if self.figures is None:
            self._cancel(self._sequence, FinishReason.CANCELLED)
            self._close(FinishReason.CANCELLED, time.monotonic())

    def _take(self, event: Token | Finished) -> str:
        """Turn what the engine handed over into text that may be shown."""
        if isinstance(event, Finished):
            # A request that did not ask for every token gets them all here.
            piece = self._read(event.tokens[len(self.tokens) :])
            if not self._watcher.stopped:
                piece += self._watcher.feed(self._decoder.flush()) + self._watcher.flush()
            self._end(FinishReason.STOP if self._watcher.stopped else event.reason, event.at)
            return piece
        piece = self._read((event,))
        if self._watcher.stopped:
            self._cancel(self._sequence, FinishReason.STOP)
            self._end(FinishReason.STOP, time.monotonic())
        return piece

    def _read(self, tokens: tuple[Token, ...]) -> str:
        """Decode tokens until a stop string appears."""
        shown = ""
        for token in tokens:
            self.tokens.append(token)
            shown += self._watcher.feed(self._decoder.feed(token.id))
            if self._watcher.stopped:
                break
        return shown

    def _end(self, reason: FinishReason, at: float) -> None:
        """Note the figures, or raise if the answer did not come about."""
        self._close(reason, at)
        if reason is FinishReason.ERROR:
            raise StepFailedError("The model failed while it computed this answer.")
        if reason is FinishReason.DEADLINE:
            seconds = self._sequence.request.timeout_seconds or 0.0
            raise DeadlineError(f"The answer was not complete within {seconds:g} s.")
        if reason is FinishReason.ABORT and self._sequence.admitted_at is None:
            raise NotReadyError("The server is shutting down.", retry_after=30)

    def _close(self, reason: FinishReason, at: float) -> None:
        sequence = self._sequence
        seconds = max(at - sequence.submitted_at, 1e-9)
        self.figures = Figures(
            tokens_generated=len(self.tokens),
            time_seconds=seconds,
            tokens_per_second=len(self.tokens) / seconds,
            ttft_seconds=(sequence.first_token_at or at) - sequence.submitted_at,
            queue_seconds=(sequence.admitted_at or at) - sequence.submitted_at,
            finish_reason=reason,
            prompt_tokens=len(sequence.request.prompt_ids),
            cached_tokens=sequence.cached_tokens,
        )
        log.info(
            "#%d gets  %d tokens in %.2f s, %.1f tokens/s, first after %.2f s (%s)",
            self.number,
            len(self.tokens),
            seconds,
            self.figures.tokens_per_second,
            self.figures.ttft_seconds,
            reason.value,
            extra=_fields(
                "gets",
                self.number,
                prompt_tokens=self.figures.prompt_tokens,
                cached_tokens=self.figures.cached_tokens,
                **self.figures.as_json(),
            ),
        )


def _fields(event: str, number: int, **values: float | str) -> dict[str, Any]:
    """What a log line says, for handlers that want values instead of words."""
    return {"fields": {"event": event, "request": number, **values}}
