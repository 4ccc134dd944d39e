"""The states of an engine, and what it tells about itself to whoever asks."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("ttdirect.engine")


def _nothing() -> None:
    """Close a model that has nothing of its own to close."""


class State(str, Enum):
    """Where the engine is in its life: loading -> ready -> draining -> stopped, or failed."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Shapes:
    """The shapes of the calls that an engine makes, for warming up.

    Args:
        rows: B, the rows of every decode.
        columns: W, the columns of every page table.
        piece: the most tokens of a prompt that come in one call.
        max_seq_len: tokens of prompt and answer together.
        models: that the rows are shared out to.
        unit: prompts go on behind a multiple of so many cached tokens; None where they never do.
        pause: called between two parts of the warm-up; raises when the server is to stop.
    """

    rows: int
    columns: int
    piece: int
    max_seq_len: int
    models: int = 1
    unit: int | None = None
    pause: Callable[[], None] = field(default=_nothing, compare=False)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a loaded model holds in the memory of its device, in bytes.

    Args:
        weights_bytes: its matrices, once, as they are computed with.
        kv_cache_bytes: the KV cache of all requests together, whether they use it or not.
    """

    weights_bytes: int
    kv_cache_bytes: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What `initialize_model()` gives the engine.

    Args:
        prefill: `(tokens int64 [1, L], prompt_len, page_table int32 [1, W], slot)` -> logits
            with the last token's `V` values, as `Generator.prefill_forward_text` returns them.
            With `continues_prompts` also `cached=n`: the first n tokens, whole blocks, are in the
            cache already.
        decode: `(tokens int64 [B, 1], positions int32 [B], page_table int32 [B, W])` -> logits
            `[B, 1, V]`, as `Generator.decode_forward_text` returns them. With `samples_on_device`
            also `sampling=...`: the device is to choose, and the result is its tokens `[B]`.
        tokenizer: a Hugging Face tokenizer, or anything with its `encode`, `decode` and
            `apply_chat_template`.
        name: how the model is called towards users.
        device: what computes, in words ("CPU, float32").
        vocab_size: V, the number of token ids that the tokenizer knows.
        close: called once at the end, on the engine's thread, before what was given to
            `PhaseReporter.at_end`.
        continues_prompts: whether `prefill` can leave out what is cached. The engine then keeps
            the beginnings of prompts for later ones, and reads long prompts in pieces.
        verifies_drafts: whether rows of one `decode` may share a page table and have successive
            positions, each row seeing what those before it write. The engine then computes
            guesses at an answer's next tokens in idle rows. Never on a card, where two rows
            that update one tile of the cache race.
        samples_on_device: whether `decode` can choose the tokens itself (see `device_sampling`).
        padded_length: from the tokens of a prompt to those that the device makes of it, never
            fewer for more; None where it takes prompts as they are.
        longest_pass: tokens of a prompt that a card reads in one pass, so that the pieces are to be
            as long (see `pieces`); None where the engine chooses them.
        warm_up: compiles and records what calls of these shapes need, before the first request,
            in block 0 alone; None for one prompt and one step.
        memory: what weights and KV cache take; None where that is not known.
    """

    prefill: Callable[..., Any]
    decode: Callable[..., Any]
    tokenizer: Any
    name: str
    device: str
    vocab_size: int
    close: Callable[[], None] = _nothing
    continues_prompts: bool = False
    verifies_drafts: bool = False
    samples_on_device: bool = False
    padded_length: Callable[[int], int] | None = None
    longest_pass: int | None = None
    warm_up: Callable[[Shapes], None] | None = None
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """One step of loading.

    Args:
        name: what is being done, in words ("loading the weights").
        progress: share of the whole start that is done, 0.0 to 1.0.
        started_at: when, by `time.monotonic()`.
    """

    name: str
    progress: float
    started_at: float


@dataclass(frozen=True, slots=True)
class Health:
    """A picture of the engine at one moment, taken without any lock.

    Args:
        state: where the engine is in its life.
        note: one sentence on why, for people.
        phase: what is being loaded, or the state's name once nothing is.
        progress: share of loading that is done, 0.0 to 1.0.
        elapsed_seconds: since the start of loading while loading, else since it was ready.
        model: the model's name, or None before it is known.
        device: what computes, or None before it is known.
        memory: what weights and KV cache take, or None while or where that is not known.
        running: requests being answered.
        queued: requests that wait.
        max_batch_size: requests that can be answered at the same time.
        max_seq_len: tokens of prompt and answer together.
        cache_use: share of the KV cache that running requests hold, 0.0 to 1.0.
        step_seconds: how long the running step has been going on; 0.0 between steps.
        stuck_note: one sentence when that is longer than any step should take, else empty.
    """

    state: State
    note: str
    phase: str
    progress: float
    elapsed_seconds: float
    model: str | None
    device: str | None
    memory: Memory | None
    running: int
    queued: int
    max_batch_size: int
    max_seq_len: int
    cache_use: float
    step_seconds: float
    stuck_note: str


class PhaseReporter:
    """Collects the phases of loading; `initialize_model()` calls it like a function.

    Args:
        listener: told of each new phase, by name and progress.
        pause: called at every report, also within a phase; raises when loading is to end here.
    """

    def __init__(
        self, listener: Callable[[str, float], None], pause: Callable[[], None] = _nothing
    ) -> None:
        self._listener = listener
        self._pause = pause
        self._at_end: list[Callable[[], None]] = []
        self.current = Phase("starting", 0.0, time.monotonic())

    def __call__(self, name: str, progress: float | None = None) -> None:
        """Enter a phase, or move on within the current one.

        Args:
            name: what is being done, in words.
            progress: share of the whole start that is done by now, 0.0 to 1.0; None keeps it.
        """
        self._pause()
        known = self.current.progress if progress is None else min(max(progress, 0.0), 1.0)
        if name == self.current.name:
            self.current = Phase(name, known, self.current.started_at)
            return
        self.current = Phase(name, known, time.monotonic())
        self._listener(name, known)

    def at_end(self, close: Callable[[], None]) -> None:
        """Have something closed when the engine ends, on its thread, and when loading fails.

        Args:
            close: called once, when generator and model are gone; what came last goes first.
        """
        self._at_end.append(close)

    def end(self) -> None:
        """Close all that is open."""
        while self._at_end:
            _close(self._at_end.pop())


def _close(close: Callable[[], None]) -> None:
    try:
        close()
    except Exception:
        log.exception("the device could not be given back")


def forget_frames(error: BaseException) -> None:
    """Let go of the frames through which an error came: they hold the model, most of all."""
    seen: set[int] = set()
    links = [error]
    while links:
        link = links.pop()
        if id(link) not in seen:
            seen.add(id(link))
            # Not traceback.clear_frames(): a frame still has its function, and that its closure.
            link.__traceback__ = None
            links += [other for other in (link.__cause__, link.__context__) if other is not None]
