"""One step of the model: from sequences to the tensors the Generator API wants, and back.

The rules are those of tt-metal's `models/tt_transformers` (reference: its `tt/generator.py` and
the vLLM plugin for Tenstorrent): full arrays of the fixed batch size, position -1 and a row of
zeros for who is idle, block 0 as scratch, and a page table whose width never changes.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, cast

import torch

from ttdirect.engine.device_sampling import device_sampling
from ttdirect.engine.lifecycle import Shapes
from ttdirect.engine.request import Token
from ttdirect.engine.sampler import choose_all
from ttdirect.engine.scheduler import Decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from ttdirect.engine.device_sampling import DeviceSampling
    from ttdirect.engine.lifecycle import LoadedModel
    from ttdirect.engine.pieces import Pieces
    from ttdirect.engine.scheduler import Prefill, Step

IDLE = -1
WARM_UP_TOKENS = 128


class Stepper:
    """Runs batches on one loaded model.

    Args:
        model: the two functions to call.
        max_batch_size: rows of the decode batch, B.
        max_seq_len: tokens of prompt and answer together.
        block_size: tokens to a block of the KV cache.
        models: that the rows are shared out to.
    """

    def __init__(
        self,
        model: LoadedModel,
        max_batch_size: int,
        max_seq_len: int,
        block_size: int,
        *,
        models: int = 1,
    ) -> None:
        self._model = model
        self._models = models
        self._batch_size = max_batch_size
        self._max_seq_len = max_seq_len
        self._block_size = block_size
        self._table_width = -(-max_seq_len // block_size)

    def warm_up(
        self, pieces: Pieces | None, longest_prompt: int, pause: Callable[[], None] = lambda: None
    ) -> None:
        """Compute once what every request will need, in the scratch block.

        On a card this compiles kernels and captures traces; on a CPU it wakes the thread pool.

        Args:
            pieces: where a prompt is cut; None if it is read whole.
            longest_prompt: tokens of the longest prompt.
            pause: called between two parts; raises when the server is to stop.
        """
        if self._model.warm_up is not None:
            shapes = Shapes(
                self._batch_size,
                self._table_width,
                longest_prompt if pieces is None else min(pieces.size, longest_prompt),
                self._max_seq_len,
                self._models,
                None if pieces is None else pieces.unit,
                pause,
            )
            self._model.warm_up(shapes)
            return
        length = min(WARM_UP_TOKENS, self._max_seq_len)
        table = self._empty_table(1)
        self._model.prefill(torch.zeros((1, length), dtype=torch.int64), length, table, 0)
        positions = torch.full((self._batch_size,), IDLE, dtype=torch.int32)
        positions[0] = 0
        tokens = torch.zeros((self._batch_size, 1), dtype=torch.int64)
        self._model.decode(tokens, positions, self._empty_table(self._batch_size))

    def step(self, step: Step) -> list[list[Token | Exception]]:
        """Compute one step.

        Returns:
            The next tokens of each sequence, in the step's order: one, and one more for each
            drafted token that was right. The last one of them is what was raised, where no token
            could be chosen. Nothing after a part of a prompt that is not its last.
        """
        if isinstance(step, Decode):
            return self._decode(step)
        logits = self._prefill(step)
        if step.end < len(step.sequence.request.prompt_ids):
            return []
        return [choose_all([step.sequence.sampler], logits)]

    def _prefill(self, step: Prefill) -> torch.Tensor:
        """Read a prompt, or a part of it. Returns logits `[1, V]` for its next token."""
        sequence = step.sequence
        ids = sequence.request.prompt_ids[: step.end]
        # Only the blocks the prompt fills: padding behind it goes to the scratch block.
        filled = sequence.blocks[: -(-len(ids) // self._block_size)]
        table = self._empty_table(1)
        table[0, : len(filled)] = torch.tensor(filled, dtype=torch.int32)
        tokens = torch.tensor([ids], dtype=torch.int64)
        # Scripts from before the prefix cache take no `cached`; theirs is always 0.
        behind = {"cached": step.start} if step.start else {}
        logits = self._model.prefill(tokens, len(ids), table, sequence.slot, **behind)
        return logits.reshape(1, -1)[:, : self._model.vocab_size]

    def _decode(self, step: Decode) -> list[list[Token | Exception]]:
        """Advance every sequence by one token, or by more where its draft is right."""
        rows = self._rows_of(step)
        ids, places = [0] * self._batch_size, [IDLE] * self._batch_size
        # A fresh table each step: some tt-metal versions compare it with a kept reference.
        table = self._empty_table(self._batch_size)
        for sequence, own in zip(step.sequences, rows, strict=True):
            blocks = torch.tensor(sequence.blocks, dtype=torch.int32)
            going_in = (sequence.tokens[-1].id, *step.drafts.get(sequence, ()))
            for place, (row, token) in enumerate(zip(own, going_in, strict=True)):
                ids[row], places[row] = token, sequence.position + place
                table[row, : len(blocks)] = blocks
        tokens = torch.tensor(ids)[:, None]
        positions = torch.tensor(places, dtype=torch.int32)
        sampling = self._device_sampling(step)
        if sampling is not None:
            chosen = self._model.decode(tokens, positions, table, sampling=sampling)
            return self._taken(step, chosen.tolist())
        for sequence in step.sequences:
            sequence.sampled_on_host = True
        logits = self._model.decode(tokens, positions, table)
        logits = logits.reshape(self._batch_size, -1)[:, : self._model.vocab_size]
        return _choose(step, rows, logits)

    def _device_sampling(self, step: Decode) -> DeviceSampling | None:
        """How the device is to choose this step's tokens, or None where the host does.

        Who has once been decoded with the host's choice stays with it. tt-metal of 2026 trusts a
        token that the device still holds where its position fits the request's, unless the row
        was prefilled since the last decode (`decode_forward`): after steps of the host's, that
        token can be another request's.
        """
        if not self._model.samples_on_device:
            return None
        if any(sequence.sampled_on_host for sequence in step.sequences):
            return None
        samplers = {cast("int", it.slot): it.sampler for it in step.sequences}
        return device_sampling(samplers, self._batch_size)

    def _taken(self, step: Decode, chosen: list[int]) -> list[list[Token | Exception]]:
        """The tokens that the device chose, for each sequence from its row."""
        ids = [chosen[cast("int", sequence.slot)] for sequence in step.sequences]
        known = self._model.vocab_size
        return [
            [Token(it) if 0 <= it < known else ValueError(f"the device chose token {it}")]
            for it in ids
        ]

    def _rows_of(self, step: Decode) -> list[list[int]]:
        """The rows of each sequence: its slot, and idle ones for the tokens of its draft."""
        slots = [cast("int", sequence.slot) for sequence in step.sequences]  # they all run
        idle = (row for row in range(self._batch_size) if row not in slots)
        return [
            [slot, *itertools.islice(idle, len(step.drafts.get(sequence, ())))]
            for slot, sequence in zip(slots, step.sequences, strict=True)
        ]

    def _empty_table(self, rows: int) -> torch.Tensor:
        return torch.zeros((rows, self._table_width), dtype=torch.int32)


def _choose(
    step: Decode, rows: list[list[int]], logits: torch.Tensor
) -> list[list[Token | Exception]]:
    """Choose tokens from the logits `[B, V]`, for each sequence from its rows in their order.

    What a row says counts only if the drafted token that went into it is the token that the row
    before it gave. So each sampler sees the logits that it would see without drafts.
    """
    chosen: list[list[Token | Exception]] = [[] for _ in rows]
    going = list(range(len(rows)))
    for turn in range(max(map(len, rows))):
        samplers = [step.sequences[number].sampler for number in going]
        tokens = choose_all(samplers, _picked(logits, [rows[number][turn] for number in going]))
        right: list[int] = []
        for number, token in zip(going, tokens, strict=True):
            chosen[number].append(token)
            draft = step.drafts.get(step.sequences[number], ())[turn : turn + 1]
            if isinstance(token, Token) and draft == (token.id,):
                right.append(number)
        going = right
        if not going:
            break
    return chosen


def _picked(logits: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """Some rows of the logits; where they are neighbours without a copy, which takes longest."""
    first = rows[0]
    if rows == list(range(first, first + len(rows))):
        return logits[first : first + len(rows)]
    return logits[rows]
