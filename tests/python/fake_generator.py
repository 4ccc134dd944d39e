"""A Generator that computes nothing and tells on its caller, and a gate that holds its steps."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from byte_tokenizer import ByteTokenizer
from waiting import PATIENCE_SECONDS


class Gate:
    """Holds a Generator at the beginning of each step until the test lets it go on.

    Open at first; warm-up is never held.
    """

    def __init__(self, *, shut: bool = False) -> None:
        self._changed = threading.Condition()
        self._open = not shut
        self._passes = 0
        self._held = False

    def shut(self) -> None:
        """Hold the next step."""
        with self._changed:
            self._open = False

    def open(self) -> None:
        """Hold nobody from now on."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    @property
    def is_held(self) -> bool:
        """Whether the engine's thread stands at the gate now and will stay there."""
        with self._changed:
            return self._held and not self._passes and not self._open

    def let_one_go(self) -> None:
        """Let the step that is held happen; returns at once."""
        with self._changed:
            assert self._held
            self._passes += 1
            self._changed.notify_all()

    def let_pass(self, steps: int = 1) -> None:
        """Let so many steps happen and hold the one after them; returns when it is held."""
        with self._changed:
            self._passes += steps
            self._changed.notify_all()
            done = self._changed.wait_for(
                lambda: self._held and not self._passes, timeout=PATIENCE_SECONDS
            )
        assert done, "the engine did not come to the gate again"

    def wait_until_held(self) -> None:
        """Return when the engine's thread stands at the gate, inside a step."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held, timeout=PATIENCE_SECONDS)

    def pass_through(self) -> None:
        """What the Generator calls."""
        with self._changed:
            if self._open:
                return
            self._held = True
            self._changed.notify_all()
            let_go = self._changed.wait_for(
                lambda: self._open or self._passes, timeout=PATIENCE_SECONDS
            )
            self._held = False
            if not self._open:
                self._passes -= 1
            self._changed.notify_all()
        assert let_go, "the test forgot to open the gate"


@dataclass(frozen=True)
class Call:
    """One real step (no warm-up): its phase and the rows of the decode batch that took part."""

    phase: str
    slots: tuple[int, ...]


class FakeGenerator:
    """A Generator that computes nothing but keeps its books.

    It stores token ids where a model stores keys and values, per (block, offset) through the
    page table, and draws the next logits from a hash of all tokens that it reads back for the
    row. So a wrong table, slot, position, a block that still holds somebody else's tokens, or a
    neighbour's influence shows up as other text. What the Generator API forbids is an
    AssertionError.

    Args:
        max_batch_size: rows of the decode batch, B.
        block_size: tokens to a block.
        num_blocks: blocks, the scratch block included.
        vocab: V, the ids that may be chosen; the logits are a few columns wider, as padded
            models' are, and those columns always win.
        max_seq_len: the longest padded prompt.
        step_seconds: how long each step takes.
        answers: texts for prompts (the user's last message), or a function that gives one, or
            None for a prompt it does not know; such prompts get text from the hash.
        gate: holds steps.
        fail_at_step: the number, from 1, of the step that raises `failure`; 0 is the warm-up.
        failures: how many steps in a row do.
        failure: what is raised.
        tokenizer: the tokenizer that `answers` are written with.
        verifies_drafts: whether a decode's rows may share a page table.
        repeats: texts from the hash repeat themselves: the last token nearly decides on the next
            one, and all the others only move its probability.
        data_parallel: models, each with an equal part of the rows and a cache of its own.
    """

    def __init__(
        self,
        max_batch_size: int = 4,
        block_size: int = 8,
        num_blocks: int = 129,
        vocab: int = 261,
        *,
        max_seq_len: int = 256,
        step_seconds: float = 0.0,
        answers: dict[str, str] | Callable[[str], str | None] | None = None,
        gate: Gate | None = None,
        fail_at_step: int | None = None,
        failures: int = 1,
        failure: BaseException | None = None,
        tokenizer: ByteTokenizer | None = None,
        verifies_drafts: bool = False,
        repeats: bool = False,
        data_parallel: int = 1,
    ) -> None:
        self.model = [object() for _ in range(data_parallel)]
        self.max_batch_size = max_batch_size
        self.block_size = block_size
        self.num_blocks = num_blocks
        self.vocab = vocab
        self.max_seq_len = max_seq_len
        self.step_seconds = step_seconds
        self.gate = gate or Gate()
        self.fail_at_step = fail_at_step
        self.failures = failures
        self.failure = failure or RuntimeError("the model is out of luck")
        self.tokenizer = tokenizer or ByteTokenizer()
        self.verifies_drafts = verifies_drafts
        self.repeats = repeats
        self.calls: list[Call] = []
        self.warm_ups: list[str] = []
        self.threads: set[int] = set()
        self._answer = answers.get if isinstance(answers, dict) else answers
        self._caches = np.full((data_parallel, num_blocks, block_size), -1, dtype=np.int64)
        self._prompt_lengths: dict[int, int] = {}
        self._width: int | None = None
        self._scribbles = 0
        self._inside = threading.Lock()
        self._shapes = _letter_shapes(vocab, self.tokenizer.eos_token_id)

    @property
    def kv_cache(self) -> list[list[Any]]:
        """What real Generators get beside each call: a list with one cache per model."""
        return [[] for _ in self.model]

    def prefill_forward_text(
        self,
        tokens: torch.Tensor,
        page_table: torch.Tensor | None = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
        enable_trace: bool = True,
        sampling_params: Any = None,
        start_pos: Any = None,
        warmup_prefill: bool = True,
    ) -> torch.Tensor:
        """Read prompts; float32 `[N, 1, V]` logits of each one's last token."""
        with self._alone():
            count, length = tokens.shape
            self._check_table(page_table, rows=count)
            assert tokens.dtype in (torch.int64, torch.int32)
            self._check_kv_cache(kv_cache)
            assert not warmup_prefill, "the engine has warmed up"
            assert len(prompt_lens) == len(empty_slots) == count
            padded = max(128, 1 << (length - 1).bit_length())
            assert padded <= self.max_seq_len, (
                f"Sequence length {padded} exceeds max seq len {self.max_seq_len}"
            )
            tables = page_table.numpy()
            self._begin("prefill", tables, tuple(empty_slots))
            rows = []
            for row, (size, slot) in enumerate(zip(prompt_lens, empty_slots, strict=True)):
                assert 0 < size <= length
                assert 0 <= slot < self.max_batch_size
                filled = -(-size // self.block_size)
                assert not tables[row, filled:].any(), "padding would overwrite real blocks"
                cached = 0 if start_pos is None else start_pos[row]
                ids = tokens[row, :size].numpy()
                cache = self._cache_of(slot)
                self._check_cached(cache, tables[row], ids[:cached], size)
                at = np.arange(cached, filled * self.block_size)
                # Behind the prompt the padding leaves garbage, up to the block's end.
                values = np.concatenate([ids, np.full(self.block_size, -2)])[at]
                cache[tables[row, at // self.block_size], at % self.block_size] = values
                self._prompt_lengths[slot] = size
                rows.append(self._logits_of(tables[row], size, slot))
            return torch.stack(rows).unsqueeze(1)

    def decode_forward_text(
        self,
        tokens: torch.Tensor,
        start_pos: torch.Tensor,
        page_table: torch.Tensor | None = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: Any = None,
    ) -> torch.Tensor:
        """Advance all rows by one token; float32 `[B, 1, V]`, garbage in idle rows."""
        with self._alone():
            size = self.max_batch_size
            self._check_table(page_table, rows=size)
            assert tokens.dtype in (torch.int64, torch.int32)
            assert tokens.shape == (size, 1), (
                f"Batch size {tokens.shape[0]} must be equal to max_batch_size {size}"
            )
            assert start_pos.shape == (size,)
            assert start_pos.dtype == torch.int32
            self._check_kv_cache(kv_cache)
            tables, positions = page_table.numpy(), start_pos.numpy()
            active = [row for row in range(size) if positions[row] >= 0]
            assert active, "a decode step of idle rows only"
            assert (positions >= -1).all()
            for row in set(range(size)) - set(active):
                assert not tables[row].any(), "an idle row's table is zeros"
                assert not tokens[row].any(), "an idle row's token is 0"
            self._begin("decode", tables, tuple(active))
            slots = self._slots_of(tables, positions, active)
            written = {
                row: (self._model_of(row), int(tables[row, positions[row] // self.block_size]))
                for row in active
            }
            writers = {(block, slots[row]) for row, block in written.items()}
            assert len({block for block, _ in writers}) == len(writers), "two requests, one block"
            for row, block in written.items():
                self._caches[(*block, positions[row] % self.block_size)] = int(tokens[row, 0])
            logits = torch.full((size, self.vocab + 3), float("nan"))
            for row in active:
                logits[row] = self._logits_of(tables[row], int(positions[row]) + 1, slots[row])
            return logits.unsqueeze(1)

    def _slots_of(self, tables: Any, positions: Any, active: list[int]) -> dict[int, int]:
        """The slot of the request that each row belongs to: of those with one table, the first."""
        slots: dict[int, int] = {}
        rows_of: dict[tuple[int, bytes], list[int]] = {}
        for row in active:
            rows_of.setdefault((self._model_of(row), tables[row].tobytes()), []).append(row)
        for rows in rows_of.values():
            assert len(rows) == 1 or self.verifies_drafts, "two rows, one request"
            rows.sort(key=lambda row: positions[row])
            first = int(positions[rows[0]])
            successive = list(range(first, first + len(rows)))
            assert [int(positions[row]) for row in rows] == successive, "a draft with gaps"
            slots.update(dict.fromkeys(rows, rows[0]))
        return slots

    def _model_of(self, row: int) -> int:
        return row * len(self.model) // self.max_batch_size

    def _cache_of(self, slot: int) -> Any:
        return self._caches[self._model_of(slot)]

    def _check_kv_cache(self, kv_cache: Any) -> None:
        assert isinstance(kv_cache, list), "kv_cache is a list, one for each model"
        assert len(kv_cache) == len(self.model), "kv_cache is a list, one for each model"

    def _check_cached(self, cache: Any, table: Any, ids: Any, size: int) -> None:
        """What the engine says is cached has to be there."""
        assert len(ids) < size, "start_pos must be below the prompt's length"
        assert len(ids) % self.block_size == 0, "start_pos is a whole number of blocks"
        at = np.arange(len(ids))
        held = cache[table[at // self.block_size], at % self.block_size]
        assert (held == ids).all(), "the cached prefix is that of another text"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread, and one call at a time."""
        self.threads.add(threading.get_ident())
        assert len(self.threads) == 1, "the Generator was called from two threads"
        assert self._inside.acquire(blocking=False), "the Generator was called inside a call"
        try:
            yield
        finally:
            self._inside.release()

    def _check_table(self, table: torch.Tensor | None, rows: int) -> None:
        assert isinstance(table, torch.Tensor), "page_table must be a torch.Tensor"
        assert table.dtype == torch.int32
        self._width = self._width or table.shape[1]
        assert table.shape == (rows, self._width), "the page table's width changed"
        assert int(table.min()) >= 0
        assert int(table.max()) < self.num_blocks

    def _begin(self, phase: str, tables: Any, slots: tuple[int, ...]) -> None:
        # Warm-up works in the scratch block alone; so nobody's tokens may stay there.
        self._scribbles += 1
        self._caches[:, 0] = -100 - self._scribbles
        if not tables.any():
            self.warm_ups.append(phase)
            if self.fail_at_step == 0:
                raise self.failure
            return
        self.calls.append(Call(phase, slots))
        self.gate.pass_through()
        if self.step_seconds:
            time.sleep(self.step_seconds)
        failed = len(self.calls) - (self.fail_at_step or len(self.calls) + 1)
        if 0 <= failed < self.failures:
            raise self.failure

    def _logits_of(self, table: Any, length: int, slot: int) -> torch.Tensor:
        """`V + 3` logits for a row of `length` tokens, read back through its table."""
        at = np.arange(length)
        blocks = table[at // self.block_size]
        assert blocks.all() or not table.any(), "a request reads the scratch block"
        tokens = self._cache_of(slot)[blocks, at % self.block_size]
        logits = torch.full((self.vocab + 3,), 1e4)
        logits[: self.vocab] = self._scripted(tokens, slot)
        return logits

    def _scripted(self, tokens: Any, slot: int) -> torch.Tensor:
        prompt_length = self._prompt_lengths.get(slot, 0)
        if self._answer is not None and len(tokens) >= prompt_length > 0:
            prompt = self.tokenizer.last_user_message(tokens[:prompt_length].tolist())
            answer = self._answer(prompt)
            if answer is not None:
                script = answer.encode()
                said = len(tokens) - prompt_length
                follows = bytes(tokens[prompt_length:].astype(np.uint8)) == script[:said]
                goes_on = follows and said < len(script)
                logits = torch.zeros(self.vocab)
                logits[script[said] if goes_on else self.tokenizer.eos_token_id] = 200.0
                return logits
        return self._hashed(tokens)

    def _hashed(self, tokens: Any) -> torch.Tensor:
        number = _number(tokens)
        logits = self._noise(number)
        if self.repeats:
            number = _number(tokens[-1:])
            logits = 0.2 * logits + 2.0 * self._noise(number)
        logits += self._shapes.bias[_bytes_to_come(tokens[-3:])]
        if number >> 40 & 15 == 0:
            logits[self.tokenizer.eos_token_id] += 24.0
        return logits

    def _noise(self, number: int) -> torch.Tensor:
        return self._shapes.noise[number % 509].roll(number // 509 % self.vocab)


@dataclass(frozen=True)
class _Shapes:
    noise: torch.Tensor
    bias: dict[int, torch.Tensor]


def _letter_shapes(vocab: int, eos: int) -> _Shapes:
    """Noise to draw from, and a lean towards text: letters, and characters that get complete."""
    noise = torch.randn(509, vocab, generator=torch.Generator().manual_seed(7)) * 1.5
    start, inside = torch.zeros(vocab), torch.zeros(vocab)
    start[32:127] += 4.0
    start[[0xC3, 0xCE, 0xE2, 0xE6, 0xF0]] += 6.0
    inside[0x90:0xC0] += 9.0
    for bias in (start, inside):
        bias[256:] -= 8.0
        bias[eos] += 2.0
    return _Shapes(noise, {0: start, 1: inside})


def _number(tokens: Any) -> int:
    """A number from the hash of tokens."""
    return int.from_bytes(hashlib.blake2b(tokens.tobytes(), digest_size=8).digest(), "big")


def _bytes_to_come(tail: Any) -> int:
    """1 if the tokens end inside a UTF-8 character, else 0."""
    for back, token in enumerate(reversed(tail.tolist()), start=1):
        if not 0x80 <= token < 0x100:
            return 0
        if token >= 0xC0:
            return int(back < 2 + (token >= 0xE0) + (token >= 0xF0))
    return 0
