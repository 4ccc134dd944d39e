"""tt-metal's Generator from device sampling on: eras B (PR #31046), late B, C and D (#51646)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from era_signatures import EraB, EraC, EraD, EraLateB
from flavour_core import WARM_UP_LENGTHS, Flavour, Inputs
from ttdirect.generator import get_padded_prefill_len

__all__ = ["GeneratorB", "GeneratorC", "GeneratorD", "GeneratorLateB", "get_padded_prefill_len"]


@dataclass(frozen=True)
class SamplingParams:
    """Lists for each row, and more than a greedy server needs."""

    temperature: float | list[float]
    top_k: int | list[int]
    top_p: float | list[float]
    presence_penalty: float | list[float] = 0.0
    frequency_penalty: float | list[float] = 0.0
    repetition_penalty: float | list[float] = 1.0
    seed: Any = None
    enable_log_probs: bool | list[bool] = False
    num_logprobs: int | list[int] = 0


class _Sampling(Flavour):
    """What they share: reading in two halves, and a sampler with a state for each row."""

    has_sampler = True
    gives_tuples = True

    def __init__(
        self,
        model: list,
        model_args: list,
        mesh_device: Any,
        processor: Any = None,
        tokenizer: Any = None,
    ) -> None:
        super().__init__(model, model_args, mesh_device)
        self.processor, self.tokenizer = processor, tokenizer
        self.already_warmed_up_prefill = False
        self.prev_page_table: Tensor | None = None
        self.prefilled: set[int] = set()
        """Slots that were prefilled since the last decode."""
        self._unknown_to_sampler: set[int] = set()

    def _note_prefill(self, call: SimpleNamespace) -> None:
        if call.kwargs:
            unknown = next(iter(call.kwargs))
            raise TypeError(f"forward() got an unexpected keyword argument {unknown!r}")
        slots = call.empty_slots
        self.prefilled |= set(slots if slots is not None else range(len(call.tokens)))
        self._unknown_to_sampler |= self.prefilled

    def _check_sampler(self, call: SimpleNamespace, *, reset: bool) -> None:
        if reset:
            self._unknown_to_sampler.clear()
        rows = [row for row in self._unknown_to_sampler if int(call.start_pos[row]) >= 0]
        if call.sampling_params is not None and rows:
            self.complaints.append(f"rows {rows} are sampled with the state of other requests")

    def _has_new_table(self, table: Tensor | None) -> bool:
        if table is None:
            return False
        is_new = self.prev_page_table is None or not torch.equal(self.prev_page_table, table)
        if is_new:
            self.prev_page_table = table.clone()
        return is_new

    def _finish(self, outputs: list[Tensor], call: SimpleNamespace) -> Any:
        is_tokens = call.sampling_params is not None
        pairs = [(out, None if is_tokens else torch.ones(1)) for out in outputs]
        if not call.read_from_device:
            return pairs
        return self.process_decode_output_host(self.read_decode_output(pairs), is_tokens=is_tokens)

    def read_decode_output(self, tt_out: list, async_read: bool = False) -> Any:
        return (tt_out, []) if async_read else tt_out

    def process_decode_output_host(self, tt_out: list, is_tokens: bool = False) -> Any:
        out = torch.cat([out for out, _ in tt_out])
        return (out, tt_out[0][1]) if self.gives_tuples else out

    def _sweep(self, kv_cache: Any, enable_trace: bool) -> None:
        """Prefill each supported length in block 0, unless that was done before."""
        if self.already_warmed_up_prefill:
            return
        self.already_warmed_up_prefill = True
        most = self.model_args[0].max_seq_len
        block = kv_cache[0][0][0].shape[2]
        for model_id, args in enumerate(self.model_args):
            for length in [it for it in WARM_UP_LENGTHS if it <= most]:
                self.prefill_forward_text(
                    torch.zeros(1, length, dtype=torch.int64),
                    page_table=torch.zeros(1, -(-length // block), dtype=torch.int32),
                    kv_cache=kv_cache,
                    prompt_lens=torch.tensor([length]),
                    empty_slots=[model_id * args.max_batch_size],
                    enable_trace=enable_trace,
                )

    def _scribble(
        self, kv_cache: Any, enable_trace: bool, rows: int, columns: int, *, samples: bool
    ) -> None:
        """Decode all rows at position 0 of block 0, once for each way of sampling."""
        greedy = SamplingParams([0.0] * rows, [1] * rows, [1.0] * rows)
        for params in [greedy, None] if samples else [None]:
            call = SimpleNamespace(
                tokens=torch.zeros(rows, 1, dtype=torch.int32),
                start_pos=torch.zeros(rows, dtype=torch.int32),
                page_table=torch.zeros(rows, columns, dtype=torch.int32),
                kv_cache=kv_cache,
                enable_trace=enable_trace,
                sampling_params=params,
            )
            self.check_decode(call)
            self.inputs[params is not None] = Inputs.of(call)
            self.compute_decode(call, params)
        self.prefilled.clear()


class _B(_Sampling):
    """What makes a device of era B read the host again: a changed page table."""

    def _decode(self, call: SimpleNamespace) -> Any:
        self.check_decode(call)
        self._load(call)
        self.prefilled.clear()
        return self._finish(self.compute_decode(call, call.sampling_params), call)

    def _load(self, call: SimpleNamespace) -> None:
        samples = call.sampling_params is not None
        if call.enable_trace and call.page_table is None:
            raise TypeError("'NoneType' object is not iterable")
        is_new = call.enable_trace and self._has_new_table(call.page_table)
        if is_new or not call.enable_trace or not samples or samples not in self.inputs:
            self.inputs[samples] = Inputs.of(call)


class GeneratorB(_B, EraB):
    """Early B: bare tensors, no cached prefixes, no methods to warm up."""

    gives_tuples = False

    def _prefill(self, call: SimpleNamespace) -> Tensor:
        self._note_prefill(call)
        return self.compute_prefill(call, empty_slots=call.empty_slots)


class GeneratorLateB(_B, EraLateB):
    """Late B: tuples; `reset_batch` resets the sampler only; a prefill makes it read again too.

    Each prefill warms up if that was not done, and cannot be told not to.
    """

    def _prefill(self, call: SimpleNamespace) -> Tensor:
        self._note_prefill(call)
        if not self.already_warmed_up_prefill:
            self.complaints.append("the first request warms up")
            self._sweep(call.kv_cache, call.enable_trace)
        for start in call.start_pos or []:
            block = call.kv_cache[0][0][0].shape[2]
            assert int(start) % block == 0, "start_pos must be aligned to blocks"
        return self.compute_prefill(call, empty_slots=call.empty_slots, start_pos=call.start_pos)

    def _load(self, call: SimpleNamespace) -> None:
        self._check_sampler(call, reset=call.reset_batch)
        if self.prefilled:
            self.prev_page_table = None
        super()._load(call)

    def warmup_model_prefill(
        self, kv_cache: Any, enable_trace: bool, sampling_params: Any = None
    ) -> None:
        self._sweep(kv_cache, enable_trace)

    def warmup_model_decode(
        self,
        kv_cache: Any,
        enable_trace: bool,
        max_batch_size: int,
        num_blocks: int,
        can_sample_on_device: bool,
        non_greedy_decoding_on_device: bool,
        read_from_device: bool = True,
    ) -> None:
        self._scribble(
            kv_cache, enable_trace, max_batch_size, num_blocks, samples=can_sample_on_device
        )


class _Commanded(_Sampling):
    """C and D: they differ in `_load`, which decides what of a call reaches the device."""

    query_chunk = 64
    """Of its attention (SDPA) behind a cached beginning: 64 or 256 tokens."""

    traces_behind_prefixes = True
    model_capabilities: ClassVar = {"supports_prefix_caching": False}
    """Of the base class: that nobody has said anything."""

    def _prefill(self, call: SimpleNamespace) -> Any:
        self._note_prefill(call)
        if call.warmup_prefill:
            if not self.already_warmed_up_prefill:
                self.complaints.append("the first request warms up")
            self._sweep(call.kv_cache, call.enable_trace)
        elif call.enable_trace and call.page_table is not None and not self.programs.traced:
            # The decode trace is prepared from this call's page table, whatever its rows.
            self.core._check_decode(
                torch.zeros(len(call.page_table), 1),
                torch.zeros(len(call.page_table)),
                call.page_table,
                is_traced=True,
            )
        start_pos = call.start_pos
        if start_pos is not None and call.kv_cache is not None:
            step = math.lcm(call.kv_cache[0][0][0].shape[2], self.query_chunk)
            if any(int(it) % step for it in start_pos):
                self.complaints.append(f"start_pos {start_pos} is rounded down")
            start_pos = [int(it) // step * step for it in start_pos]
        out = self.compute_prefill(
            call,
            empty_slots=call.empty_slots,
            sampling_params=call.sampling_params,
            start_pos=start_pos,
        )
        return out if call.sampling_params is None else (out, None)

    def _decode(self, call: SimpleNamespace) -> Any:
        self.check_decode(call)
        self._load(call)
        self.prefilled.clear()
        params = call.sampling_params
        return self._finish(self.compute_decode(call, params and self._params(call)), call)

    def warmup_model_prefill(
        self,
        kv_cache: Any,
        enable_trace: bool,
        can_sample_on_device: bool,
        greedy_only: bool = False,
    ) -> None:
        self._sweep(kv_cache, enable_trace)

    def warmup_model_decode(
        self,
        kv_cache: Any,
        enable_trace: bool,
        max_batch_size: int,
        num_blocks: int,
        can_sample_on_device: bool,
        read_from_device: bool = True,
        greedy_only: bool = False,
        include_host_sampling: bool = True,
        skip_trace_precompile: bool = False,
    ) -> None:
        self._scribble(
            kv_cache, enable_trace, max_batch_size, num_blocks, samples=can_sample_on_device
        )


class GeneratorC(_Commanded, EraC):
    """Era C (2026): the device goes on by itself until a prefill or `reset_batch`."""

    _sampled_last: bool | None = None

    def _params(self, call: SimpleNamespace) -> Any:
        return call.sampling_params

    def _load(self, call: SimpleNamespace) -> None:
        samples = call.sampling_params is not None
        self._check_sampler(call, reset=call.reset_batch)
        resets = call.reset_batch or bool(self.prefilled)
        changes = self._sampled_last not in {None, samples}
        is_new = self._has_new_table(call.page_table)
        first = samples not in self.inputs
        if not call.enable_trace or not samples or resets or changes or first:
            held = self.inputs.get(samples)
            self.inputs[samples] = Inputs.of(call)
            if samples and resets and call.enable_trace and held is not None:
                self._keep_tokens(held)
        elif is_new:
            self.inputs[samples].table = call.page_table.clone()
        self._sampled_last = samples

    def _keep_tokens(self, held: Inputs) -> None:
        """Keep the device's own token where its position fits the host's, whoever it was for."""
        inputs = self.inputs[True]
        for slot, at in enumerate(held.positions):
            if slot not in self.prefilled and at - inputs.positions[slot] in {0, 1}:
                inputs.tokens[slot], inputs.positions[slot] = held.tokens[slot], at


class GeneratorD(_Commanded, EraD):
    """Era D (tt-metal PR #51646): the caller says what to reload, and must say it."""

    _held_params: Any = None

    def _params(self, call: SimpleNamespace) -> Any:
        if call.reload_sampling_params or self._held_params is None:
            self._held_params = call.sampling_params
        return self._held_params

    def _load(self, call: SimpleNamespace) -> None:
        samples = call.sampling_params is not None
        if call.reload_inputs and call.reload_page_table:
            raise ValueError("reload_inputs and reload_page_table are mutually exclusive")
        if call.reset_sampling_state and not call.reload_inputs:
            raise ValueError("reset_sampling_state requires reload_inputs=True")
        feeds_itself = call.enable_trace and samples and samples in self.inputs
        if not call.reload_inputs and not feeds_itself:
            raise ValueError("decode without token feedback requires reload_inputs=True")
        self._check_sampler(call, reset=call.reset_sampling_state)
        held = self.inputs.get(samples)
        if call.slot_remap is not None and held is not None:
            held.tokens = [held.tokens[slot] for slot in call.slot_remap]
            held.positions = [held.positions[slot] for slot in call.slot_remap]
        if call.reload_inputs:
            self.inputs[samples] = Inputs.of(call)
        elif call.reload_page_table:
            self.inputs[samples].table = call.page_table.clone()
