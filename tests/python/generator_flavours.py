"""tt-metal's Generator in the shapes of its eras, as test doubles over the CPU's Generator.

The signatures of prefill and decode stand in `era_signatures`; what a call does stands here.

Each flavour enforces what that era enforces, traps included: a caller that works with A,
C and D works with the tt-metal versions in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from era_signatures import EraA, EraC, EraD
from ttdirect.generator import Generator


class _Device:
    """What the device holds between traced steps: inputs, page table, sampling parameters."""

    def __init__(self, core: Generator) -> None:
        self.core = core
        self.tokens: list[int] | None = None
        self.positions: list[int] = []
        self.table: Tensor | None = None
        self.params: Any = None

    def load(self, tokens: Tensor, start_pos: Tensor, table: Tensor | None) -> None:
        self.tokens = tokens.reshape(-1).tolist()
        self.positions = start_pos.reshape(-1).tolist()
        self.load_table(table)

    def load_table(self, table: Tensor | None) -> None:
        self.table = None if table is None else table.clone()

    def step(self, kv_cache: Any, *, samples: bool) -> list[Tensor]:
        """Decode what is loaded; a sampled token becomes the next input, as on the card."""
        core = self.core
        core._device_tokens, core._device_positions = self.tokens, self.positions
        outputs = core._decode_loaded(self.table, kv_cache, self.params if samples else None)
        if samples:
            self.tokens, self.positions = core._device_tokens, core._device_positions
        return outputs


class _Flavour:
    """What every flavour has: the CPU's Generator below it, and a device that keeps its state."""

    def __init__(self, model: list, model_args: list, mesh_device: Any) -> None:
        self.core = Generator(model, model_args, mesh_device)
        self.model, self.model_args = self.core.model, self.core.model_args
        self.mesh_device = mesh_device
        self._device = _Device(self.core)

    def _check(self, call: SimpleNamespace) -> None:
        self.core._check_decode(
            call.tokens, call.start_pos, call.page_table, is_traced=call.enable_trace
        )


class GeneratorA(_Flavour, EraA):
    """Era A (~v0.60): bare tensors, greedy only on the device, page tables kept by reference."""

    def __init__(
        self,
        model: list,
        model_args: list,
        mesh_device: Any,
        tokenizer: Any = None,
        formatter: Any = None,
    ) -> None:
        super().__init__(model, model_args, mesh_device)
        self.tokenizer, self.formatter = tokenizer, formatter
        self.prev_page_table: Tensor | None = None

    def _prefill(self, call: SimpleNamespace) -> Tensor:
        return self.core.prefill_forward_text(**vars(call))

    def _decode(self, call: SimpleNamespace) -> Any:
        table, params = call.page_table, call.sampling_params
        if params is not None and params.temperature != 0:
            raise AssertionError(
                "Currently only supporting greedy decoding (temperature=0) on device"
            )
        self._check(call)
        reloads = not call.enable_trace or params is None
        if call.enable_trace:
            if table is None:
                raise TypeError("'NoneType' object is not iterable")
            previous, self.prev_page_table = self.prev_page_table, table
            # The reference compares equal to itself, whatever was written into it since.
            reloads |= previous is None or not torch.equal(previous, table)
        if reloads or self._device.tokens is None:
            self._device.load(call.tokens, call.start_pos, table)
        self._device.params = params
        is_tokens = params is not None
        outputs = self._device.step(call.kv_cache, samples=is_tokens)
        if not call.read_from_device:
            return outputs
        return self.read_decode_output(outputs, call.tokens.shape[0], is_tokens)

    def read_decode_output(
        self,
        tt_logits: list[Tensor],
        B: int,  # noqa: N803  tt-metal's name
        is_tokens: bool = False,
    ) -> Tensor:
        out = torch.cat(tt_logits)
        assert out.shape == ((B,) if is_tokens else (B, 1, out.shape[-1]))
        return out


@dataclass(frozen=True)
class SamplingParamsC:
    """Era C: lists for each row, and more than a greedy server needs."""

    temperature: float | list[float]
    top_k: int | list[int]
    top_p: float | list[float]
    presence_penalty: float | list[float] = 0.0
    frequency_penalty: float | list[float] = 0.0
    repetition_penalty: float | list[float] = 1.0
    seed: Any = None
    enable_log_probs: bool | list[bool] = False
    num_logprobs: int | list[int] = 0


class _Tuples(_Flavour):
    """What C and D share: results in tuples, device state by slot.

    They differ in `_load`, which decides what of a call reaches the device.
    """

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
        self._prefilled_slots: set[int] = set()

    def _prefill(self, call: SimpleNamespace) -> Any:
        if call.kwargs:
            unknown = next(iter(call.kwargs))
            raise TypeError(f"forward() got an unexpected keyword argument {unknown!r}")
        if call.warmup_prefill:
            self.already_warmed_up_prefill = True
        start_pos, slots = call.start_pos, call.empty_slots
        if start_pos is not None and call.kv_cache is not None:
            step = math.lcm(call.kv_cache[0][0][0].shape[2], 64)  # SDPA's query chunk
            start_pos = [int(it) // step * step for it in start_pos]
        self._prefilled_slots |= set(slots if slots is not None else range(len(call.tokens)))
        out = self.core.prefill_forward_text(
            call.tokens,
            call.page_table,
            call.kv_cache,
            call.prompt_lens,
            slots,
            sampling_params=call.sampling_params,
            start_pos=start_pos,
        )
        return out if call.sampling_params is None else (out, None)

    def _decode(self, call: SimpleNamespace) -> Any:
        samples = call.sampling_params is not None
        self._check(call)
        self._load(call, samples=samples)
        outputs = self._device.step(call.kv_cache, samples=samples)
        return self._finish(outputs, read_from_device=call.read_from_device, is_tokens=samples)

    def _finish(self, outputs: list[Tensor], *, read_from_device: bool, is_tokens: bool) -> Any:
        pairs = [(out, None if is_tokens else torch.ones(1)) for out in outputs]
        if not read_from_device:
            return pairs
        return self.process_decode_output_host(self.read_decode_output(pairs), is_tokens=is_tokens)

    def read_decode_output(self, tt_out: list, async_read: bool = False) -> Any:
        return (tt_out, []) if async_read else tt_out

    def process_decode_output_host(self, tt_out: list, is_tokens: bool = False) -> Any:
        return torch.cat([out for out, _ in tt_out]), tt_out[0][1]

    def warmup_model_prefill(
        self,
        kv_cache: Any,
        enable_trace: bool,
        can_sample_on_device: bool = False,
        greedy_only: bool = False,
    ) -> None:
        self.core.warmup_model_prefill(kv_cache, enable_trace)
        self.already_warmed_up_prefill = True

    def warmup_model_decode(
        self,
        kv_cache: Any,
        enable_trace: bool,
        max_batch_size: int,
        num_blocks: int,
        can_sample_on_device: bool = False,
        read_from_device: bool = True,
        greedy_only: bool = False,
        include_host_sampling: bool = True,
        skip_trace_precompile: bool = False,
    ) -> None:
        self.core.warmup_model_decode(kv_cache, enable_trace, max_batch_size, num_blocks)


class GeneratorC(_Tuples, EraC):
    """Era C (2026): the device goes on by itself until a prefill or `reset_batch`."""

    _samples = False

    def _load(self, call: SimpleNamespace, *, samples: bool) -> None:
        device = self._device
        is_steady = (
            call.enable_trace
            and samples
            and self._samples
            and not call.reset_batch
            and not self._prefilled_slots
            and device.tokens is not None
        )
        if is_steady:
            if call.page_table is not None and not torch.equal(call.page_table, device.table):
                device.load_table(call.page_table)
        else:
            self._reload(call, keeps_tokens=samples and self._samples)
        self._samples = samples
        self._prefilled_slots.clear()
        device.params = call.sampling_params

    def _reload(self, call: SimpleNamespace, *, keeps_tokens: bool) -> None:
        """Load from the host, but keep the device's token where its position fits the host's."""
        device = self._device
        held = list(zip(device.tokens or [], device.positions, strict=keeps_tokens))
        device.load(call.tokens, call.start_pos, call.page_table)
        if not keeps_tokens:
            return
        for slot, (token, at) in enumerate(held):
            fits = at in {device.positions[slot], device.positions[slot] + 1} and at >= 0
            if fits and slot not in self._prefilled_slots:
                device.tokens[slot], device.positions[slot] = token, at


class GeneratorD(_Tuples, EraD):
    """Era D (tt-metal PR #51646): the caller says what to reload, and must say it."""

    def _decode(self, call: SimpleNamespace) -> Any:
        if call.reload_inputs and call.reload_page_table:
            raise ValueError("reload_inputs and reload_page_table are mutually exclusive")
        if call.reset_sampling_state and not call.reload_inputs:
            raise ValueError("reset_sampling_state requires reload_inputs=True")
        feeds_itself = (
            call.enable_trace
            and call.sampling_params is not None
            and self._device.tokens is not None
        )
        if not call.reload_inputs and not feeds_itself:
            raise ValueError("decode without token feedback requires reload_inputs=True")
        return super()._decode(call)

    def _load(self, call: SimpleNamespace, *, samples: bool) -> None:
        device = self._device
        if call.slot_remap is not None and device.tokens is not None:
            device.tokens = [device.tokens[slot] for slot in call.slot_remap]
            device.positions = [device.positions[slot] for slot in call.slot_remap]
        if call.reload_inputs:
            device.load(call.tokens, call.start_pos, call.page_table)
        elif call.reload_page_table:
            device.load_table(call.page_table)
        if samples and (call.reload_sampling_params or device.params is None):
            device.params = call.sampling_params
