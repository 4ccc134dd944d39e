"""The engine's loop: one step after the other while there is work, on the engine's own thread.

Everything that touches the device or the Generator happens on that thread, because "concurrent
host calls on the same model instance are not supported" (tt-metal,
`models/tt_transformers/tt/model.py`). Other threads hand requests in and ask for their end.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.device import is_lost
from ttdirect.engine.errors import QueueFullError
from ttdirect.engine.request import FinishReason
from ttdirect.engine.scheduler import Decode

if TYPE_CHECKING:
    from ttdirect.engine.request import Token
    from ttdirect.engine.scheduler import Scheduler, Step
    from ttdirect.engine.sequence import Sequence
    from ttdirect.engine.stats import Stats
    from ttdirect.engine.stepper import Stepper

log = logging.getLogger("ttdirect.engine")

FAILURES_IN_A_ROW = 3
"""One step that raises may be the fault of a request; so many in a row are the model's."""

RETRY_SECONDS = 2
"""How soon a place in a full queue may be free."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step in which the model raised: what, and when by `time.monotonic()`."""

    what: str
    at: float


class Loop:
    """Takes requests, runs them, and ends them.

    Args:
        scheduler: decides who runs.
        stats: counts what happens.
        max_queued: requests that may wait; more are refused.
        max_queued_tokens: tokens of prompts that may wait.
    """

    def __init__(
        self, scheduler: Scheduler, stats: Stats, max_queued: int, max_queued_tokens: int
    ) -> None:
        self.scheduler = scheduler
        self.last_failure: StepFailure | None = None
        self.longest_step_seconds = 0.0
        """Of those steps that have come to an end."""
        self._stats = stats
        self._max_queued = max_queued
        self._max_queued_tokens = max_queued_tokens
        self._work = threading.Condition()
        self._cancelled: dict[Sequence, FinishReason] = {}
        self._is_open = False
        self._is_abandoned = False
        self._drain_until = float("inf")
        self._step_began: float | None = None
        self._failures_in_a_row = 0

    # What other threads call

    def submit(self, sequence: Sequence) -> bool:
        """Put a sequence in the queue; False when none are taken (any more).

        Raises:
            QueueFullError: too many requests wait.
        """
        with self._work:
            if not self._is_open:
                return False
            waiting = self.scheduler.waiting
            # Those that will be admitted at the next step do not really wait.
            free = self.scheduler.groups.max_batch_size - len(self.scheduler.running)
            queued = len(waiting) - free
            if queued >= self._max_queued or (queued >= 0 and self._is_too_much(sequence)):
                self._stats.refuse("queue_full")
                raise QueueFullError(queued, RETRY_SECONDS)
            waiting.append(sequence)
            self._work.notify()
        return True

    def cancel(self, sequence: Sequence, reason: FinishReason) -> None:
        """Drop a request; it ends after the current step, and nobody else notices."""
        with self._work:
            if sequence.finished is None:
                self._cancelled.setdefault(sequence, reason)
                self._work.notify()

    def drain(self, timeout_seconds: float) -> None:
        """Take no more requests, end those that wait, and give the others so much time."""
        with self._work:
            self._is_open = False
            self._drain_until = time.monotonic() + timeout_seconds
            for sequence in list(self.scheduler.waiting):
                self._end(sequence, FinishReason.ABORT)
            self._work.notify()

    @property
    def step_seconds(self) -> float:
        """How long the running step has been going on; 0.0 between steps."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    # What happens on the engine's thread

    def open(self) -> None:
        """Take requests from now on."""
        with self._work:
            self._is_open = True

    def run(self, stepper: Stepper) -> None:
        """Run steps until the loop was drained and nothing is left to do.

        Raises:
            Exception: what the model raised in several steps in a row.
        """
        while (step := self._next_step()) is not None:
            self._run(step, stepper)

    def abandon(self) -> None:
        """Take no more requests, and end whoever is still there.

        A step that still goes on then is of use to nobody, however it ends.
        """
        with self._work:
            self._is_open = False
            self._is_abandoned = True
            for sequence in (*self.scheduler.running.values(), *self.scheduler.waiting):
                self._end(sequence, FinishReason.ERROR)

    def _next_step(self) -> Step | None:
        with self._work:
            while True:
                self._drop_departed()
                step = self.scheduler.next_step()
                if step is not None or not self._is_open:
                    break
                self._work.wait()
        return step

    def _run(self, step: Step, stepper: Stepper) -> None:
        began = self._step_began = time.monotonic()
        if not isinstance(step, Decode) and step.sequence.admitted_at is None:
            step.sequence.admitted_at = began
            self._stats.admitted(step.sequence)
        try:
            chosen = stepper.step(step)
        except Exception as error:  # noqa: BLE001 - whatever the model raises, others go on
            if not self._is_abandoned:
                self._contain(step, error)
            return
        finally:
            self._step_began = None
        ended = time.monotonic()
        self.longest_step_seconds = max(self.longest_step_seconds, ended - began)
        self._failures_in_a_row = 0
        if not self._is_abandoned:
            self._take(step, chosen, ended)

    def _take(self, step: Step, chosen: list[list[Token | Exception]], at: float) -> None:
        """Count a step that went well, and hand out its tokens."""
        if isinstance(step, Decode):
            self._count(step, [len(tokens) for tokens in chosen], at)
        else:
            self._stats.computed_prompt(step.end - step.start + len(chosen))
            with self._work:
                self.scheduler.note_read(step)
        if not chosen:
            return
        for sequence, tokens in zip(step.sequences, chosen, strict=True):
            for token in tokens:
                reason = self._hand_out(sequence, token, at)
                if reason is not None:
                    with self._work:
                        self._end(sequence, reason)
                    break

    def _count(self, step: Decode, made: list[int], at: float) -> None:
        counts = list(zip(step.sequences, made, strict=True))
        self._stats.decoded(counts, at)
        for sequence, count in counts:
            if draft := step.drafts.get(sequence):
                # Behind those that were right comes one that nobody had to guess.
                self._stats.verified(len(draft), count - 1)

    def _hand_out(
        self, sequence: Sequence, token: Token | Exception, at: float
    ) -> FinishReason | None:
        """Give a sequence its next token; why it ends then, or could be given none."""
        if isinstance(token, Exception):
            log.error("no token could be chosen for a request; it ends", exc_info=token)
            return FinishReason.ERROR
        is_first = sequence.first_token_at is None
        reason = sequence.accept(token, at)
        if is_first:
            self._stats.read(sequence)
        return reason

    def _contain(self, step: Step, error: Exception) -> None:
        """End the requests of a step that raised, and go on with the others.

        Raises:
            Exception: the error, when it is one too many in a row, or the device's.
        """
        self._failures_in_a_row += 1
        self._stats.failed_steps += 1
        if is_lost(error) or self._failures_in_a_row >= FAILURES_IN_A_ROW:
            raise error
        log.error("a step failed; its %d requests end", len(step.sequences), exc_info=error)
        self.last_failure = StepFailure(f"{type(error).__name__}: {error}", time.monotonic())
        with self._work:
            for sequence in step.sequences:
                self._end(sequence, FinishReason.ERROR)
            self.scheduler.groups.forget()  # who knows what is in the cache now

    def _drop_departed(self) -> None:
        """End the requests that were cancelled, or whose time is over."""
        now = time.monotonic()
        for sequence in (*self.scheduler.running.values(), *self.scheduler.waiting):
            if sequence in self._cancelled:
                self._end(sequence, self._cancelled[sequence])
            elif sequence.deadline is not None and now > sequence.deadline:
                self._end(sequence, FinishReason.DEADLINE)
            elif now > self._drain_until:
                self._end(sequence, FinishReason.ABORT)
        self._cancelled.clear()

    def _end(self, sequence: Sequence, reason: FinishReason) -> None:
        self.scheduler.release(sequence)
        sequence.finish(reason)
        self._stats.ended(sequence, reason, time.monotonic())

    def _is_too_much(self, sequence: Sequence) -> bool:
        waiting = sum(len(other.request.prompt_ids) for other in self.scheduler.waiting)
        return waiting + len(sequence.request.prompt_ids) > self._max_queued_tokens
