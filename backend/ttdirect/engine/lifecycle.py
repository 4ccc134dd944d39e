"""The states of an engine, and what it tells about itself to whoever asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class State(str, Enum):
    """Where the engine is in its life: loading -> ready -> draining -> stopped, or failed."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What `initialize_model()` gives the engine.

    Args:
        prefill: `(tokens int64 [1, L], prompt_len, page_table int32 [1, W], slot)` -> logits
            with the last token's `V` values, as `Generator.prefill_forward_text` returns them.
            With `continues_prompts` also `cached=n`: the first n tokens, whole blocks, are in the
            cache already.
        decode: `(tokens int64 [B, 1], positions int32 [B], page_table int32 [B, W])` -> logits
            `[B, 1, V]`, as `Generator.decode_forward_text` returns them.
        tokenizer: a Hugging Face tokenizer, or anything with its `encode`, `decode` and
            `apply_chat_template`.
        name: how the model is called towards users.
        device: what computes, in words ("CPU, float32").
        vocab_size: V, the number of token ids that the tokenizer knows.
        close: gives the device back; called once, on the engine's thread.
        continues_prompts: whether `prefill` can leave out what is cached. The engine then keeps
            the beginnings of prompts for later ones, and reads long prompts in pieces.
        verifies_drafts: whether rows of one `decode` may share a page table and have successive
            positions, each row seeing what those before it write. The engine then computes
            guesses at an answer's next tokens in idle rows. Never on a card, where two rows
            that update one tile of the cache race.
    """

    prefill: Callable[..., Any]
    decode: Callable[..., Any]
    tokenizer: Any
    name: str
    device: str
    vocab_size: int
    close: Callable[[], None]
    continues_prompts: bool = False
    verifies_drafts: bool = False


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
    running: int
    queued: int
    max_batch_size: int
    max_seq_len: int
    cache_use: float
    step_seconds: float
    stuck_note: str


class PhaseReporter:
    """Collects the phases of loading; `initialize_model()` calls it like a function."""

    def __init__(self, listener: Callable[[str, float], None]) -> None:
        self._listener = listener
        self.current = Phase("starting", 0.0, time.monotonic())

    def __call__(self, name: str, progress: float | None = None) -> None:
        """Enter a phase, or move on within the current one.

        Args:
            name: what is being done, in words.
            progress: share of the whole start that is done by now, 0.0 to 1.0; None keeps it.
        """
        known = self.current.progress if progress is None else min(max(progress, 0.0), 1.0)
        if name == self.current.name:
            self.current = Phase(name, known, self.current.started_at)
            return
        self.current = Phase(name, known, time.monotonic())
        self._listener(name, known)
