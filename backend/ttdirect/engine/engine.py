"""The engine: many requests answered at once by one loaded model, from load to shutdown.

HTTP threads call `ask` or `complete` and wait for what comes. The model is loaded and run on a
thread of its own (see `host`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ttdirect.engine.blocks import block_digests
from ttdirect.engine.completion import Completion
from ttdirect.engine.errors import EngineSettingError, NotReadyError, PromptTooLongError
from ttdirect.engine.grammar import GrammarCompiler
from ttdirect.engine.groups import Groups
from ttdirect.engine.host import ModelHost
from ttdirect.engine.loop import Loop
from ttdirect.engine.options import Options
from ttdirect.engine.request import FinishReason, Request, SamplingParams
from ttdirect.engine.scheduler import Scheduler
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stats import Stats
from ttdirect.engine.text import preview

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Sequence as Items

    from ttdirect.engine.grammar import Grammar, GrammarKind
    from ttdirect.engine.lifecycle import LoadedModel, PhaseReporter


class Engine(ModelHost):
    """Continuous batching over one loaded model.

    Args:
        initialize_model: loads the model. Called once on the engine's thread with a function
            `phase(name, progress=None)` to report through.
        max_batch_size: requests answered at the same time: 1, 2, 4, 8, 16 or 32 for each of the
            data-parallel models.
        max_seq_len: tokens of prompt and answer together, a power of two of at least 128,
            because prompts are padded to powers of two (`get_padded_prefill_len`).
        block_size: tokens to a block of the paged KV cache.
        num_blocks: blocks of the KV cache, the scratch block included; with several models, of
            each one's.
        max_queued: requests that may wait; more are refused.
        max_queued_tokens: tokens of prompts that may wait.
        prefill_chunk: after so many tokens of prompts, a multiple of `block_size`, the others get
            their next tokens; a longer prompt is read in pieces of that size, but on a card, which
            says itself what it reads in one pass (see `pieces`).
        timeout_seconds: the longest a request may take, its wait included; None for no limit.
        step_timeout_seconds: after so long in one step the model is taken to be stuck.
        data_parallel: models behind the Generator, each on chips of its own.

    Raises:
        EngineSettingError: a setting is outside of what the Generator API supports.
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
        data_parallel: int = 1,
    ) -> None:
        if max_seq_len < 128 or max_seq_len & (max_seq_len - 1):
            raise EngineSettingError(
                f"max_seq_len must be a power of two of at least 128, not {max_seq_len}.",
                "set MAX_SEQ_LEN in the script to such a number, for example 2048",
            )
        if max_queued < 0:
            raise EngineSettingError(
                f"max_queued must be 0 or more, not {max_queued}.",
                "set MAX_QUEUED in the script to 0 or more",
            )
        groups = Groups(max_batch_size, num_blocks, block_size, data_parallel)
        scheduler = Scheduler(groups, prefill_chunk)
        self.max_batch_size = max_batch_size
        self.block_size = block_size
        self.num_blocks = num_blocks
        self.max_queued = max_queued
        self.timeout_seconds = timeout_seconds
        self.stats = Stats()
        super().__init__(
            initialize_model,
            scheduler,
            Loop(scheduler, self.stats, max_queued, max_queued_tokens),
            max_seq_len=max_seq_len,
            step_timeout_seconds=step_timeout_seconds,
        )

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
        if note := self.stuck_note:  # who waited for that step now might wait for ever
            raise NotReadyError(note, retry_after=30)
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

    def _end_tokens(self, options: Options) -> frozenset[int]:
        return frozenset[int]() if options.ignore_eos else self._stop_ids
