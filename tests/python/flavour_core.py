"""What every flavour of the Generator stands on: the CPU's Generator, and a device that remembers.

The CPU's Generator computes, through the page table, and refuses what every era refuses. What an
era would take in silence, and a server must not do all the same, is written down in `complaints`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from flavour_ledger import Ledger
from ttdirect.generator import Generator, get_padded_prefill_len

WARM_UP_LENGTHS = (128, 1024, 2048, 4096)
TRACED_LENGTHS = (128, 1024)
"""Lengths of prompts that `can_enable_trace` allows, as on an N300."""


@dataclass
class Inputs:
    """What one decode trace reads: it stays on the device between steps."""

    tokens: list[int]
    positions: list[int]
    table: Tensor | None

    @classmethod
    def of(cls, call: SimpleNamespace) -> Inputs:
        table = None if call.page_table is None else call.page_table.clone()
        return cls(call.tokens.reshape(-1).tolist(), call.start_pos.reshape(-1).tolist(), table)


@dataclass
class Programs:
    """What has been compiled and recorded, in this order."""

    compiled: list[tuple] = field(default_factory=list)
    traced: list[tuple] = field(default_factory=list)

    def run(self, key: tuple, *, traced: bool) -> str | None:
        """Run a program; a complaint if it had to be compiled beside a live trace."""
        late = key not in self.compiled and bool(self.traced)
        if key not in self.compiled:
            self.compiled.append(key)
        if traced and key not in self.traced:
            self.traced.append(key)
        return f"{key} was compiled while a trace was live" if late else None


class Flavour:
    """A Generator in the shape of an era.

    Args:
        model: the models.
        model_args: their ModelArgs.
        mesh_device: kept.
    """

    has_sampler = False
    """Whether the era's models sample on the device at any temperature, and trace prompts."""

    model_type = "llama"
    """The family, as the models' config.json has it."""

    traces_behind_prefixes = False
    """Whether what stands behind a cached beginning is traced like any other prompt."""

    def __init__(self, model: list, model_args: list, mesh_device: Any) -> None:
        self.core = Generator(model, model_args, mesh_device)
        self.model, self.model_args = self.core.model, self.core.model_args
        self.mesh_device = mesh_device
        self.complaints: list[str] = []
        self.programs = Programs()
        self.steps: Counter[bool] = Counter()
        """Decode steps, by whether the device sampled."""
        self.inputs: dict[bool, Inputs] = {}
        """By whether the device samples: each kind of step has a trace of its own."""
        self.ledger = Ledger(model_args[0].max_batch_size) if len(model) > 1 else None
        """Only among several models: with one alone, a wrong block shows as wrong text."""
        for one, args in zip(self.model, self.model_args, strict=True):
            if self.has_sampler:
                one._supports_on_device_sampling, one.sampling = True, object()
                args.can_enable_trace = lambda padded, cached=0: (
                    padded in TRACED_LENGTHS and (self.traces_behind_prefixes or not cached)
                )
                args.model_type = self.model_type

    def complain(self, complaint: str | None) -> None:
        if complaint is not None:
            self.complaints.append(complaint)

    def compute_prefill(self, call: SimpleNamespace, **more: Any) -> Tensor:
        """Run the prompts of a call, and note the programs that they need."""
        assert call.tokens.dtype in {torch.int32, torch.int64}
        assert call.tokens.dim() == 2
        if isinstance(call.page_table, Tensor):
            assert call.page_table.dtype == torch.int32, "page_table must be int32"
        lengths = call.prompt_lens
        if lengths is None:
            lengths = [call.tokens.shape[1]] * call.tokens.shape[0]
        starts = more.get("start_pos") or [0] * len(lengths)
        for length, start in zip(lengths, starts, strict=True):
            padded = get_padded_prefill_len(int(length) - int(start))
            most = self.model_args[0].max_prefill_chunk_size
            key = ("prefill", min(padded, most), bool(start) or padded > most)
            traced = (
                getattr(call, "enable_trace", False)
                and call.page_table is not None
                and self.model_args[0].can_enable_trace(padded, int(start))
            )
            self.complain(self.programs.run(key, traced=traced))
        self._note_prompts(call, lengths, starts, more.get("empty_slots"))
        return self.core.prefill_forward_text(
            call.tokens, call.page_table, call.kv_cache, call.prompt_lens, **more
        )

    def check_decode(self, call: SimpleNamespace) -> None:
        """Refuse what every era's model refuses."""
        assert call.tokens.dim() == 2
        assert call.tokens.shape[1] == 1
        for tensor in (call.tokens, call.start_pos):
            assert tensor.dtype in {torch.int32, torch.int64}
        if isinstance(call.page_table, Tensor):
            assert call.page_table.dtype == torch.int32, "page_table must be int32"
        self.core._check_decode(
            call.tokens, call.start_pos, call.page_table, is_traced=call.enable_trace
        )

    def compute_decode(self, call: SimpleNamespace, params: Any) -> list[Tensor]:
        """Decode what is loaded; a sampled token becomes the next input, as on the card."""
        samples = params is not None
        self.steps[samples] += 1
        self.complain(self.programs.run(("decode", samples), traced=call.enable_trace))
        core, held = self.core, self.inputs[samples]
        self._note_step(held, call.kv_cache)
        core._device_tokens, core._device_positions = held.tokens, held.positions
        outputs = core._decode_loaded(held.table, call.kv_cache, params)
        if samples:
            held.tokens, held.positions = core._device_tokens, core._device_positions
        return outputs

    def _note_prompts(self, call: SimpleNamespace, lengths: Any, starts: Any, slots: Any) -> None:
        if self.ledger is None:
            return
        size = call.kv_cache[0][0][0].shape[2]
        rows = range(len(lengths)) if slots is None else slots
        for number, row in enumerate(rows):
            tokens = call.tokens[number, : int(lengths[number])].tolist()
            table = call.page_table[number].tolist()
            self.ledger.prefill(int(row), tokens, int(starts[number]), table, size)

    def _note_step(self, held: Inputs, kv_cache: Any) -> None:
        if self.ledger is None:
            return
        size = kv_cache[0][0][0].shape[2]
        tables = held.table.tolist()
        for row, position in enumerate(held.positions):
            if position >= 0:
                self.ledger.decode(row, held.tokens[row], position, tables[row], size)
