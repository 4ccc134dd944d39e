"""A model on a thread of its own: loaded, run, watched, and given back.

The thread is the only one that talks to the device (see `loop`). Others start it, tell it to stop,
and look at how it is.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from typing import TYPE_CHECKING

from ttdirect.device import recognise, without_backtrace
from ttdirect.engine.errors import NotReadyError
from ttdirect.engine.lifecycle import (
    Health,
    LoadedModel,
    Phase,
    PhaseReporter,
    State,
    forget_frames,
)
from ttdirect.engine.limits import limits_of
from ttdirect.engine.pieces import pieces_of
from ttdirect.engine.stepper import Stepper
from ttdirect.engine.text import TextCodec

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttdirect.engine.loop import Loop
    from ttdirect.engine.scheduler import Scheduler

log = logging.getLogger("ttdirect.engine")

HEALTHY_NOTE = "Model is loaded in memory for fast inference"

RESTART_ADVICE = "Restart the server if this lasts."


class LoadingStopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised inside `initialize_model()` when the server is told to stop while it loads."""


class ModelHost:
    """The life of one loaded model.

    Args:
        initialize_model: loads the model. Called once on the host's thread with a function
            `phase(name, progress=None)` to report through.
        scheduler: decides who runs.
        loop: runs them.
        max_seq_len: tokens of prompt and answer together.
        step_timeout_seconds: after so long in one step the model is taken to be stuck.
    """

    def __init__(
        self,
        initialize_model: Callable[[PhaseReporter], LoadedModel],
        scheduler: Scheduler,
        loop: Loop,
        *,
        max_seq_len: int,
        step_timeout_seconds: float,
    ) -> None:
        self.max_seq_len = max_seq_len
        self.step_timeout_seconds = step_timeout_seconds
        self.model: LoadedModel | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failed: Callable[[BaseException], None] = lambda _: None
        self._initialize_model = initialize_model
        self._scheduler = scheduler
        self._loop = loop
        groups = scheduler.groups
        self._context = min(max_seq_len, groups.blocks_each * groups.block_size)
        self.limits = limits_of(None, self._context, max_seq_len, None)
        self._phases = PhaseReporter(_tell_phase, self._stop_if_told)
        self._state_change = threading.Lock()
        self._state = State.LOADING
        self._reason = "The model is being loaded."
        self._since = time.monotonic()
        self._codec: TextCodec | None = None
        self._stop_ids: frozenset[int] = frozenset()
        self._thread: threading.Thread | None = None

    # What other threads call

    def start(self) -> None:
        """Load the model and serve requests, on the engine's own thread; returns at once."""
        if self._thread is not None:
            raise RuntimeError("the engine was started before")
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def drain(self, timeout_seconds: float) -> None:
        """Take no more requests, finish what runs within the time, then stop; returns at once."""
        with self._state_change:
            if self._state in (State.STOPPED, State.FAILED):
                return
            self._state = State.DRAINING
            self._reason = "The server is shutting down."
        self._loop.drain(timeout_seconds)

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the engine's thread has ended; False when the time was over first."""
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    @property
    def loaded_model(self) -> LoadedModel:
        """The model.

        Raises:
            NotReadyError: it is not loaded yet, or not any more.
        """
        model = self.model
        if model is None:
            raise self._not_ready()
        return model

    @property
    def codec(self) -> TextCodec:
        """The model's tokenizer.

        Raises:
            NotReadyError: the model is not loaded yet.
        """
        if self._codec is None:
            raise self._not_ready()
        return self._codec

    @property
    def state(self) -> State:
        """Where the engine is in its life."""
        return self._state

    @property
    def has_died(self) -> bool:
        """Whether the engine's thread has ended although nobody told it to."""
        was_told = self._state is State.STOPPED
        return self._thread is not None and not self._thread.is_alive() and not was_told

    @property
    def was_ready(self) -> bool:
        """Whether the model was loaded; a failure before that is a failure to start."""
        return self._codec is not None

    @property
    def stuck_note(self) -> str:
        """One sentence when a step takes longer than any should, else empty."""
        seconds = self._loop.step_seconds
        if seconds <= self.step_timeout_seconds:
            return ""
        note = f"The model is stuck: a step has been going on for {seconds:.0f} s"
        longest = self._loop.longest_step_seconds
        return f"{note}; the longest before it took {longest:.1f} s." if longest else f"{note}."

    def give_up(self, error: BaseException) -> None:
        """Fail although a step still goes on: its thread may never come back.

        Whoever waits for an answer is told. If the thread does come back, it closes the device.

        Args:
            error: why.
        """
        self._fail(error)

    def health(self) -> Health:
        """A picture of this moment; never waits, whatever the load."""
        model, state, phase = self.model, self._state, self._phases.current
        loading = state is State.LOADING
        groups, stuck_note = self._scheduler.groups, self.stuck_note
        is_stuck = bool(stuck_note) and state is State.READY
        return Health(
            state=State.FAILED if is_stuck else state,
            note=f"{stuck_note} {RESTART_ADVICE}" if is_stuck else self._note(phase),
            phase=phase.name if loading else state.value,
            progress=phase.progress if loading else 1.0,
            elapsed_seconds=time.monotonic() - self._since,
            model=model.name if model else None,
            device=model.device if model else None,
            memory=model.memory if model else None,
            running=len(self._scheduler.running),
            queued=len(self._scheduler.waiting),
            max_batch_size=groups.max_batch_size,
            max_seq_len=self.max_seq_len,
            cache_use=groups.use,
            step_seconds=self._loop.step_seconds,
            stuck_note=stuck_note,
        )

    def _note(self, phase: Phase) -> str:
        if self._state is State.LOADING:
            return f"{phase.name[:1].upper()}{phase.name[1:]}."
        failure = self._loop.last_failure
        if self._state is not State.READY or failure is None:
            return self._reason
        ago = time.monotonic() - failure.at
        return f"{self._reason}. A step failed {ago:.0f} s ago: {failure.what}"

    # What happens on the engine's thread

    def _run(self) -> None:
        try:
            self._serve()
        except LoadingStopped:
            self._leave(State.STOPPED, "The server was stopped while it loaded.")
        except BaseException as error:  # noqa: BLE001 - nobody may wait for a dead thread
            self._fail(error)
            forget_frames(error)
        finally:
            # A Generator releases its traces when it is dropped: before the device is closed.
            gc.collect()
            self._phases.end()

    def _serve(self) -> None:
        """Load the model, warm it up, and answer until the engine is drained."""
        model = self._initialize_model(self._phases)
        self._phases.at_end(model.close)
        groups = self._scheduler.groups
        stepper = Stepper(
            model,
            groups.max_batch_size,
            self.max_seq_len,
            groups.block_size,
            models=groups.data_parallel,
        )
        pieces = pieces_of(model, self._scheduler.turn, self.max_seq_len, groups.block_size)
        self._scheduler.pieces = pieces
        self.limits = limits_of(model, self._context, self.max_seq_len, pieces)
        self._phases("warming up", 0.95)
        stepper.warm_up(pieces, self.limits.longest_prompt, self._stop_if_told)
        self._become_ready(model)
        try:
            self._loop.run(stepper)
            if self._state is not State.FAILED:  # given up, while a step took too long
                self._leave(State.STOPPED, "The server has stopped.")
        finally:
            self.model = None

    def _fail(self, error: BaseException) -> None:
        """Say why nothing can be answered any more, and tell the server."""
        known = recognise(error)
        if self.was_ready:
            log.error("the engine failed", exc_info=error)
            self._leave(State.FAILED, f"The model failed while it computed: {known or error}")
        else:
            if known:  # the sentence for people leaves out what only experts can read
                log.error("%s", without_backtrace(error.__cause__ or error))
            self._leave(State.FAILED, f"The model could not be loaded: {known or error}")
        self.on_failed(error)

    def _become_ready(self, model: LoadedModel) -> None:
        codec = TextCodec(model.tokenizer)
        with self._state_change:
            self.model = model
            self._stop_ids = codec.stop_ids()
            self._codec = codec
            self._since = time.monotonic()
            # Drafts are checked with logits, which a device that chooses by itself keeps.
            self._scheduler.can_draft = model.verifies_drafts and not model.samples_on_device
            is_wanted = self._state is State.LOADING
            if is_wanted:
                self._state, self._reason = State.READY, HEALTHY_NOTE
                self._loop.open()
        if is_wanted:
            self.on_ready()

    def _stop_if_told(self) -> None:
        """End loading between two parts of it: what is open is closed then.

        Raises:
            LoadingStopped: the server is to stop.
        """
        if self._state is State.DRAINING:
            raise LoadingStopped

    def _leave(self, state: State, reason: str) -> None:
        """Take no more requests, and end whoever is still there."""
        with self._state_change:
            self._state, self._reason = state, reason
        self._loop.abandon()

    def _not_ready(self) -> NotReadyError:
        if self._state is State.LOADING:
            return NotReadyError("The model is still loading. Try again in 2 s.", retry_after=2)
        if self._state is State.DRAINING:
            return NotReadyError("The server is shutting down.", retry_after=30)
        return NotReadyError(self._reason, retry_after=None)


def _tell_phase(name: str, _progress: float) -> None:
    log.info("%s ...", name)
