"""The engine: one thread that owns the model and answers many requests with it at once.

HTTP threads call `ask` or `submit` and wait for what comes; everything that touches the device
or the Generator happens on the engine's own thread, because "concurrent host calls on the same
model instance are not supported" (tt-metal, `models/tt_transformers/tt/model.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from ttdirect.engine.blocks import BlockAllocator
from ttdirect.engine.completion import Completion
from ttdirect.engine.errors import NotReadyError, PromptTooLongError, QueueFullError
from ttdirect.engine.lifecycle import Health, LoadedModel, PhaseReporter, State
from ttdirect.engine.request import FinishReason, Request, SamplingParams
from ttdirect.engine.scheduler import Scheduler
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stepper import Stepper
from ttdirect.engine.text import TextCodec, printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Items

log = logging.getLogger("ttdirect.engine")

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
"""The decode batches that tt-metal's ModelArgs supports; one tile has 32 rows."""

HEALTHY_NOTE = "Model is loaded in memory for fast inference"
PREVIEW_CHARACTERS = 60


class LoadingStopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Raised inside `initialize_model()` when the server is told to stop while it loads."""


class Engine:
    """Continuous batching over one loaded model.

    Args:
        initialize_model: loads the model. Called once on the engine's thread with a function
            `phase(name, progress=None)` to report through.
        max_batch_size: requests answered at the same time: 1, 2, 4, 8, 16 or 32.
        max_seq_len: tokens of prompt and answer together, a power of two of at least 128,
            because prompts are padded to powers of two (`get_padded_prefill_len`).
        block_size: tokens to a block of the paged KV cache.
        num_blocks: blocks of the KV cache, the scratch block included.
        max_queued: requests that may wait; more are refused.
        timeout_seconds: the longest a request may take, its wait included; None for no limit.

    Raises:
        ValueError: a setting is outside of what the Generator API supports.
    """

    def __init__(
        self,
        initialize_model: Callable[[PhaseReporter], LoadedModel],
        *,
        max_batch_size: int = 32,
        max_seq_len: int = 2048,
        block_size: int = 32,
        num_blocks: int = 1025,
        max_queued: int = 64,
        timeout_seconds: float | None = 600.0,
    ) -> None:
        if max_batch_size not in BATCH_SIZES:
            raise ValueError(f"max_batch_size must be one of {BATCH_SIZES}, not {max_batch_size}")
        if max_seq_len < 128 or max_seq_len & (max_seq_len - 1):
            raise ValueError(
                f"max_seq_len must be a power of two of at least 128, not {max_seq_len}"
            )
        if max_queued < 0:
            raise ValueError(f"max_queued must be 0 or more, not {max_queued}")
        self.max_batch_size = max_batch_size
        self.max_seq_len = max_seq_len
        self.block_size = block_size
        self.max_queued = max_queued
        self.timeout_seconds = timeout_seconds
        self.model: LoadedModel | None = None
        self._initialize_model = initialize_model
        self._scheduler = Scheduler(max_batch_size, BlockAllocator(num_blocks, block_size))
        self._work = threading.Condition()
        self._cancelled: set[Sequence] = set()
        self._phases = PhaseReporter(self._enter_phase)
        self._state = State.LOADING
        self._reason = "The model is being loaded."
        self._since = time.monotonic()
        self._drain_until = float("inf")
        self._codec: TextCodec | None = None
        self._stop_ids: frozenset[int] = frozenset()
        self._thread: threading.Thread | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self.on_failed: Callable[[BaseException], None] = lambda _: None

    # What other threads call

    def start(self) -> None:
        """Load the model and serve requests, on the engine's own thread; returns at once."""
        if self._thread is not None:
            raise RuntimeError("the engine was started before")
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def ask(
        self,
        prompt: str,
        *,
        system: str | None = None,
        max_tokens: int = 128,
        temperature: float = 0.0,
        top_p: float = 1.0,
        top_k: int = 0,
        seed: int | None = None,
        stop: Items[str] = (),
        stream: bool = False,
    ) -> Completion:
        """Ask the model one question.

        Args:
            prompt: the user's words.
            system: how the model should behave, if it was trained to heed that.
            max_tokens: the answer's longest length in tokens; less if the context ends first.
            temperature: 0.0 takes the most likely token each time, 2.0 is wild.
            top_p: keep the most likely tokens that together hold this probability.
            top_k: keep this many most likely tokens; 0 keeps all.
            seed: the same seed gives the same text.
            stop: strings that end the answer and are not part of it.
            stream: whether the text is wanted piece by piece.

        Returns:
            The answer in the making.

        Raises:
            ValueError: a number is out of its range.
            PromptRefusedError: the prompt is no text, or the chat template refuses it.
            NotReadyError: the model is loading, or the server is shutting down or failed.
            QueueFullError: too many requests wait.
            PromptTooLongError: the prompt does not fit.
        """
        sampling = SamplingParams(temperature, top_p, top_k, seed)
        codec = self._codec
        if codec is None:
            raise self._not_ready()
        messages = [{"role": "user", "content": prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        prompt_ids = tuple(codec.encode_chat(messages))
        if len(prompt_ids) > self.longest_prompt:
            raise PromptTooLongError(len(prompt_ids), self.longest_prompt)
        request = Request(
            prompt_ids=prompt_ids,
            max_tokens=min(max_tokens, self.longest_prompt + 1 - len(prompt_ids)),
            sampling=sampling,
            stop_ids=self._stop_ids,
            timeout_seconds=self.timeout_seconds,
            every_token=stream or bool(stop),
        )
        sequence = self.submit(request)
        return Completion(sequence, codec, tuple(stop), self.cancel, _preview(prompt))

    def submit(self, request: Request) -> Sequence:
        """Put a request of token ids in the queue.

        Raises:
            NotReadyError: as for `ask`.
            QueueFullError: as for `ask`.
            PromptTooLongError: prompt and answer do not fit together.
        """
        if len(request.prompt_ids) + request.max_tokens > self.longest_prompt + 1:
            raise PromptTooLongError(len(request.prompt_ids), self.longest_prompt)
        sequence = Sequence(request)
        with self._work:
            if self._state is not State.READY:
                raise self._not_ready()
            waiting = len(self._scheduler.waiting)
            # Those that will be admitted at the next step do not really wait.
            free = self.max_batch_size - len(self._scheduler.running)
            if waiting - free >= self.max_queued:
                raise QueueFullError(self.max_queued, retry_after=2)
            self._scheduler.waiting.append(sequence)
            self._work.notify()
        return sequence

    def cancel(self, sequence: Sequence) -> None:
        """Drop a request; it ends after the current step, and nobody else notices."""
        with self._work:
            if sequence.finished is None:
                self._cancelled.add(sequence)
                self._work.notify()

    def drain(self, timeout_seconds: float) -> None:
        """Take no more requests, finish what runs within the time, then stop; returns at once."""
        with self._work:
            if self._state in (State.STOPPED, State.FAILED):
                return
            self._state = State.DRAINING
            self._reason = "The server is shutting down."
            self._drain_until = time.monotonic() + timeout_seconds
            for sequence in list(self._scheduler.waiting):
                self._end(sequence, FinishReason.ABORT)
            self._work.notify()

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the engine's thread has ended; False when the time was over first."""
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    @property
    def longest_prompt(self) -> int:
        """The most tokens a prompt may have so that one token of answer still fits."""
        cache = self._scheduler.allocator.capacity * self.block_size
        return min(self.max_seq_len, cache) - 1

    @property
    def state(self) -> State:
        """Where the engine is in its life."""
        return self._state

    @property
    def was_ready(self) -> bool:
        """Whether the model was loaded; a failure before that is a failure to start."""
        return self._codec is not None

    def health(self) -> Health:
        """A picture of this moment; never waits, whatever the load."""
        model, state, phase = self.model, self._state, self._phases.current
        loading = state is State.LOADING
        return Health(
            state=state,
            note=f"{phase.name[:1].upper()}{phase.name[1:]}." if loading else self._reason,
            phase=phase.name if loading else state.value,
            progress=phase.progress if loading else 1.0,
            elapsed_seconds=time.monotonic() - self._since,
            model=model.name if model else None,
            device=model.device if model else None,
            running=len(self._scheduler.running),
            queued=len(self._scheduler.waiting),
            max_batch_size=self.max_batch_size,
            max_seq_len=self.max_seq_len,
        )

    # What happens on the engine's thread

    def _run(self) -> None:
        try:
            model = self._initialize_model(self._phases)
        except LoadingStopped:
            self._leave(State.STOPPED, "The server was stopped while it loaded.")
            return
        except BaseException as error:  # noqa: BLE001 - whatever loading raises ends the start
            self._leave(State.FAILED, f"The model could not be loaded: {error}")
            self.on_failed(error)
            return
        try:
            stepper = Stepper(model, self.max_batch_size, self.max_seq_len, self.block_size)
            self._phases("warming up", 0.95)
            stepper.warm_up()
            self._become_ready(model)
            self._serve(stepper)
        except LoadingStopped:
            self._leave(State.STOPPED, "The server was stopped while it loaded.")
        except BaseException as error:  # whatever it is, nobody may wait for a dead thread
            log.exception("the engine failed")
            self._leave(State.FAILED, f"The model failed while it computed: {error}")
            self.on_failed(error)
        finally:
            # A Generator releases its traces when it is dropped: before the device is closed.
            close = model.close
            self.model = model = stepper = None
            _close(close)

    def _become_ready(self, model: LoadedModel) -> None:
        codec = TextCodec(model.tokenizer)
        with self._work:
            self.model = model
            self._stop_ids = codec.stop_ids()
            self._codec = codec
            self._since = time.monotonic()
            if self._state is State.LOADING:
                self._state, self._reason = State.READY, HEALTHY_NOTE
        if self._state is State.READY:
            self.on_ready()

    def _serve(self, stepper: Stepper) -> None:
        while True:
            with self._work:
                self._drop_departed()
                batch = self._scheduler.next_batch()
                while batch is None and self._state is State.READY:
                    self._work.wait()
                    self._drop_departed()
                    batch = self._scheduler.next_batch()
            if batch is None:
                self._leave(State.STOPPED, "The server has stopped.")
                return
            if batch.phase == "prefill":
                batch.sequences[0].admitted_at = time.monotonic()
            for sequence, token in zip(batch.sequences, stepper.step(batch), strict=True):
                reason = sequence.accept(token)
                if reason is not None:
                    with self._work:
                        self._end(sequence, reason)

    def _drop_departed(self) -> None:
        """End the requests that were cancelled, or whose time is over."""
        now = time.monotonic()
        for sequence in (*self._scheduler.running.values(), *self._scheduler.waiting):
            if sequence in self._cancelled:
                self._end(sequence, FinishReason.CANCELLED)
            elif sequence.deadline is not None and now > sequence.deadline:
                self._end(sequence, FinishReason.DEADLINE)
            elif now > self._drain_until:
                self._end(sequence, FinishReason.ABORT)
        self._cancelled.clear()

    def _end(self, sequence: Sequence, reason: FinishReason) -> None:
        self._scheduler.release(sequence)
        sequence.finish(reason)

    def _enter_phase(self, name: str, _progress: float) -> None:
        if self._state is State.DRAINING:
            raise LoadingStopped
        log.info("%s ...", name)

    def _leave(self, state: State, reason: str) -> None:
        """Take no more requests, and end whoever is still there."""
        with self._work:
            self._state, self._reason = state, reason
            for sequence in (*self._scheduler.running.values(), *self._scheduler.waiting):
                self._end(sequence, FinishReason.ERROR)

    def _not_ready(self) -> NotReadyError:
        if self._state is State.LOADING:
            return NotReadyError("The model is still loading. Try again in 2 s.", retry_after=2)
        if self._state is State.DRAINING:
            return NotReadyError("The server is shutting down.", retry_after=30)
        return NotReadyError(self._reason, retry_after=None)


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception:
        log.exception("the device could not be given back")


def _preview(prompt: str) -> str:
    """The prompt's beginning on one line, in quotes, safe to show in a terminal."""
    line = " ".join(prompt.split())
    if len(line) > PREVIEW_CHARACTERS:
        line = line[: PREVIEW_CHARACTERS - 3] + "..."
    return f'"{printable(line)}"'
