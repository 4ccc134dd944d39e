"""One step of the model: from sequences to the tensors the Generator API wants, and back.

The rules are those of tt-metal's `models/tt_transformers` (reference: its `tt/generator.py` and
the vLLM plugin for Tenstorrent): full arrays of the fixed batch size, position -1 and a row of
zeros for who is idle, block 0 as scratch, and a page table whose width never changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ttdirect.engine.sampler import choose_all
from ttdirect.engine.scheduler import Decode

if TYPE_CHECKING:
    from ttdirect.engine.lifecycle import LoadedModel
    from ttdirect.engine.request import Token
    from ttdirect.engine.scheduler import Prefill, Step
    from ttdirect.engine.sequence import Sequence

IDLE = -1
WARM_UP_TOKENS = 128


class Stepper:
    """Runs batches on one loaded model.

    Args:
        model: the two functions to call.
        max_batch_size: rows of the decode batch, B.
        max_seq_len: tokens of prompt and answer together.
        block_size: tokens to a block of the KV cache.
    """

    def __init__(
        self, model: LoadedModel, max_batch_size: int, max_seq_len: int, block_size: int
    ) -> None:
        self._model = model
        self._batch_size = max_batch_size
        self._max_seq_len = max_seq_len
        self._block_size = block_size
        self._table_width = -(-max_seq_len // block_size)

    def warm_up(self) -> None:
        """Compute once what every request will need, in the scratch block.

        On a card this compiles kernels and captures traces; on a CPU it wakes the thread pool.
        """
        length = min(WARM_UP_TOKENS, self._max_seq_len)
        table = self._empty_table(1)
        self._model.prefill(torch.zeros((1, length), dtype=torch.int64), length, table, 0)
        positions = torch.full((self._batch_size,), IDLE, dtype=torch.int32)
        positions[0] = 0
        tokens = torch.zeros((self._batch_size, 1), dtype=torch.int64)
        self._model.decode(tokens, positions, self._empty_table(self._batch_size))

    def step(self, step: Step) -> list[Token | Exception]:
        """Compute one step.

        Returns:
            The next token of each sequence, in the step's order, or what was raised where none
            could be chosen; nothing after a part of a prompt that is not its last.
        """
        if isinstance(step, Decode):
            logits = self._decode(step.sequences)
        else:
            logits = self._prefill(step)
            if step.end < len(step.sequence.request.prompt_ids):
                return []
        return choose_all([sequence.sampler for sequence in step.sequences], logits)

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

    def _decode(self, sequences: tuple[Sequence, ...]) -> torch.Tensor:
        """Advance every sequence by one token. Returns logits `[len(sequences), V]`."""
        slots = torch.tensor([sequence.slot for sequence in sequences])
        tokens = torch.zeros((self._batch_size, 1), dtype=torch.int64)
        positions = torch.full((self._batch_size,), IDLE, dtype=torch.int32)
        tokens[slots, 0] = torch.tensor([sequence.tokens[-1].id for sequence in sequences])
        positions[slots] = torch.tensor(
            [sequence.position for sequence in sequences], dtype=torch.int32
        )
        # A fresh table each step: some tt-metal versions compare it with a kept reference.
        table = self._empty_table(self._batch_size)
        for sequence in sequences:
            row = torch.tensor(sequence.blocks, dtype=torch.int32)
            table[sequence.slot, : len(sequence.blocks)] = row
        logits = self._model.decode(tokens, positions, table)
        rows = logits.reshape(self._batch_size, -1)[:, : self._model.vocab_size]
        return rows[slots]

    def _empty_table(self, rows: int) -> torch.Tensor:
        return torch.zeros((rows, self._table_width), dtype=torch.int32)
