"""The engine: many requests answered at once by one loaded model, from load to shutdown.

HTTP threads call `ask` or `complete` and wait for what comes. The model is loaded and run on a
thread of its own (see `loop`).
"""

from __future__ import annotations

import functools
import gc
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from ttdirect.device import recognise, without_backtrace
from ttdirect.engine.blocks import BlockAllocator, block_digests
from ttdirect.engine.completion import Completion
from ttdirect.engine.errors import NotReadyError, PromptTooLongError
from ttdirect.engine.grammar import GrammarCompiler
from ttdirect.engine.lifecycle import (
    Health,
    LoadedModel,
    Phase,
    PhaseReporter,
    State,
    forget_frames,
)
from ttdirect.engine.limits import limits_of
from ttdirect.engine.loop import Loop
from ttdirect.engine.options import Options
from ttdirect.engine.request import FinishReason, Request, SamplingParams
from ttdirect.engine.scheduler import Scheduler
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stats import Stats
from ttdirect.engine.stepper import Stepper
from ttdirect.engine.text import TextCodec, preview

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Items

    from ttdirect.engine.grammar import Grammar, GrammarKind

log = logging.getLogger("ttdirect.engine")

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
"""The decode batches that tt-metal's ModelArgs supports; one tile has 32 rows."""

HEALTHY_NOTE = "Model is loaded in memory for fast inference"

RESTART_ADVICE = "Restart the server if this lasts."


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
        max_queued_tokens: tokens of prompts that may wait.
        prefill_chunk: a prompt is read in pieces of so many tokens, a multiple of `block_size`,
            so that a long one does not keep the others from their next tokens.
        timeout_seconds: the longest a request may take, its wait included; None for no limit.
        step_timeout_seconds: after so long in one step the model is taken to be stuck.

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
        max_queued_tokens: int = 131_072,
        prefill_chunk: int = 128,
        timeout_seconds: float | None = 600.0,
        step_timeout_seconds: float = 120.0,
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
        self.num_blocks = num_blocks
        self.max_queued = max_queued
        self.timeout_seconds = timeout_seconds
        self.step_timeout_seconds = step_timeout_seconds
        self.stats = Stats()
        self.model: LoadedModel | None = None
        self._initialize_model = initialize_model
        allocator = BlockAllocator(num_blocks, block_size)
        self._scheduler = Scheduler(max_batch_size, allocator, prefill_chunk)
        self._context = min(max_seq_len, allocator.capacity * block_size)
        self.limits = limits_of(None, self._context, max_seq_len, prefill_chunk)
        self._loop = Loop(self._scheduler, self.stats, max_queued, max_queued_tokens)
        self._phases = PhaseReporter(self._enter_phase)
        self._state_change = threading.Lock()
        self._state = State.LOADING
        self._reason = "The model is being loaded."
        self._since = time.monotonic()
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
        options = Options(
            max_tokens, SamplingParams(temperature, top_p, top_k, seed), tuple(stop), stream=stream
        )
        messages = [{"role": "user", "content": prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        return self.complete(self.codec.encode_chat(messages), options, label=prompt)

    def complete(self, prompt_ids: Items[int], options: Options, *, label: str) -> Completion:
        """Continue a prompt that is tokens already.

        Args:
            prompt_ids: from `codec`, or a client's own.
            options: how to continue it.
            label: what stands for the prompt in the log.

        Returns:
            The answer in the making.

        Raises:
            ValueError: there are no tokens, or the model knows no such token.
            NotReadyError, QueueFullError, PromptTooLongError: as for `ask`.
        """
        codec = self.codec
        try:
            room = self.limits.room_behind(len(prompt_ids))
        except PromptTooLongError:
            self.stats.refuse("prompt_too_long")
            raise
        request = Request(
            prompt_ids=tuple(prompt_ids),
            max_tokens=room if options.max_tokens is None else min(options.max_tokens, room),
            sampling=options.sampling,
            stop_ids=options.stop_token_ids | self._end_tokens(options),
            timeout_seconds=self.timeout_seconds,
            every_token=options.stream or bool(options.stop),
            min_tokens=options.min_tokens,
            grammar=options.grammar,
        )
        sequence = self.submit(request)
        return Completion(sequence, codec, options.stop, self.cancel, preview(label))

    def compile_grammar(self, kind: GrammarKind, definition: Any = None) -> Grammar:
        """Compile what answers have to look like, for `Options.grammar`.

        Args:
            kind: what `definition` is.
            definition: as for `GrammarCompiler.compile`.

        Raises:
            GrammarError: it cannot be used, and why.
            NotReadyError: the model is not loaded yet.
        """
        return self._grammars.compile(kind, definition)

    @functools.cached_property
    def _grammars(self) -> GrammarCompiler:
        return GrammarCompiler(self.loaded_model.tokenizer, self.codec.stop_ids())

    def submit(self, request: Request) -> Sequence:
        """Put a request of token ids in the queue.

        Raises:
            ValueError: the model knows no such token.
            NotReadyError: as for `ask`.
            QueueFullError: as for `ask`.
            PromptTooLongError: prompt and answer do not fit together.
        """
        model, ids = self.loaded_model, request.prompt_ids
        if request.max_tokens > self.limits.room_behind(len(ids)):
            raise PromptTooLongError(len(ids), self.limits.longest_prompt)
        if not 0 <= min(ids) <= max(ids) < model.vocab_size:
            raise ValueError(f"token ids must be from 0 to {model.vocab_size - 1}")
        digests = block_digests(ids, self.block_size) if model.continues_prompts else ()
        sequence = Sequence(request, digests)
        if not self._loop.submit(sequence):
            raise self._not_ready()
        return sequence

    def cancel(self, sequence: Sequence, reason: FinishReason = FinishReason.CANCELLED) -> None:
        """Drop a request; it ends after the current step, and nobody else notices.

        Args:
            sequence: from `submit`.
            reason: STOP when its text is complete, else CANCELLED.
        """
        self._loop.cancel(sequence, reason)

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

    def health(self) -> Health:
        """A picture of this moment; never waits, whatever the load."""
        model, state, phase = self.model, self._state, self._phases.current
        loading = state is State.LOADING
        allocator, step_seconds = self._scheduler.allocator, self._loop.step_seconds
        stuck_note = ""
        if step_seconds > self.step_timeout_seconds:
            stuck_note = f"The model is stuck: a step has been going on for {step_seconds:.0f} s."
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
            max_batch_size=self.max_batch_size,
            max_seq_len=self.max_seq_len,
            cache_use=1.0 - allocator.free_count / allocator.capacity,
            step_seconds=step_seconds,
            stuck_note=stuck_note,
        )

    def _end_tokens(self, options: Options) -> frozenset[int]:
        return frozenset[int]() if options.ignore_eos else self._stop_ids

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
        stepper = Stepper(model, self.max_batch_size, self.max_seq_len, self.block_size)
        piece = self._scheduler.chunk
        self.limits = limits_of(model, self._context, self.max_seq_len, piece)
        self._phases("warming up", 0.95)
        stepper.warm_up(piece, self.limits.longest_prompt)
        self._become_ready(model)
        try:
            self._loop.run(stepper)
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
            self._scheduler.can_continue = model.continues_prompts
            # Drafts are checked with logits, which a device that chooses by itself keeps.
            self._scheduler.can_draft = model.verifies_drafts and not model.samples_on_device
            is_wanted = self._state is State.LOADING
            if is_wanted:
                self._state, self._reason = State.READY, HEALTHY_NOTE
                self._loop.open()
        if is_wanted:
            self.on_ready()

    def _enter_phase(self, name: str, _progress: float) -> None:
        if self._state is State.DRAINING:
            raise LoadingStopped
        log.info("%s ...", name)

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
