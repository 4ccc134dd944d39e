"""tt-metal's Generator in the shapes of its eras, as test doubles over the CPU's Generator.

Each flavour enforces what that era enforces, traps included: a caller that works with A,
C and D works with the tt-metal versions in use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ttdirect.generator import Generator
from ttdirect.generator import SamplingParams as GreedySamplingParams


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


class GeneratorA:
    """Era A (~v0.60): bare tensors, greedy only on the device, page tables kept by reference."""

    def __init__(
        self,
        model: list,
        model_args: list,
        mesh_device: Any,
        tokenizer: Any = None,
        formatter: Any = None,
    ) -> None:
        self.core = Generator(model, model_args, mesh_device)
        self.model, self.model_args = self.core.model, self.core.model_args
        self.mesh_device, self.tokenizer, self.formatter = mesh_device, tokenizer, formatter
        self.prev_page_table: Tensor | None = None
        self._device = _Device(self.core)

    def prefill_forward_text(
        self,
        tokens: Tensor,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
    ) -> Tensor:
        return self.core.prefill_forward_text(
            tokens, page_table, kv_cache, prompt_lens, empty_slots
        )

    def decode_forward(
        self,
        position_id: int,
        tokens: Tensor,
        prefill_cross_attention_masks: Any,
        prefill_full_text_row_masked_out_mask: Any,
        decode_cross_attention_masks: Any,
        decode_full_text_row_masked_out_mask: Any,
        xattn_caches: Any = None,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        cross_page_table: Tensor | None = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
    ) -> Tensor:
        raise AssertionError("decode_forward is the vision decode in this era")

    def decode_forward_text(
        self,
        tokens: Tensor,
        start_pos: Tensor,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: GreedySamplingParams | None = None,
    ) -> Any:
        if sampling_params is not None and sampling_params.temperature != 0:
            raise AssertionError(
                "Currently only supporting greedy decoding (temperature=0) on device"
            )
        self.core._check_decode(tokens, start_pos, page_table, is_traced=enable_trace)
        reloads = not enable_trace or sampling_params is None
        if enable_trace:
            if page_table is None:
                raise TypeError("'NoneType' object is not iterable")
            previous, self.prev_page_table = self.prev_page_table, page_table
            # The reference compares equal to itself, whatever was written into it since.
            reloads |= previous is None or not torch.equal(previous, page_table)
        if reloads or self._device.tokens is None:
            self._device.load(tokens, start_pos, page_table)
        self._device.params = sampling_params
        is_tokens = sampling_params is not None
        outputs = self._device.step(kv_cache, samples=is_tokens)
        if not read_from_device:
            return outputs
        return self.read_decode_output(outputs, tokens.shape[0], is_tokens)

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


class _Tuples:
    """What C and D share: prefill behind `*args`, results in tuples, device state by slot."""

    def __init__(
        self,
        model: list,
        model_args: list,
        mesh_device: Any,
        processor: Any = None,
        tokenizer: Any = None,
    ) -> None:
        self.core = Generator(model, model_args, mesh_device)
        self.model, self.model_args = self.core.model, self.core.model_args
        self.mesh_device, self.processor, self.tokenizer = mesh_device, processor, tokenizer
        self.already_warmed_up_prefill = False
        self._device = _Device(self.core)
        self._prefilled_slots: set[int] = set()

    def prefill_forward_text(self, *args: Any, **kwargs: Any) -> Any:
        return self._prefill_forward_text_impl(*args, **kwargs)

    def _prefill_forward_text_impl(
        self,
        tokens: Tensor,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
        enable_trace: bool = True,
        model_id_warmup: Any = None,
        sampling_params: Any = None,
        start_pos: Any = None,
        return_hidden_states: bool = False,
        warmup_prefill: bool = True,
        **kwargs: Any,
    ) -> Any:
        if kwargs:
            raise TypeError(f"forward() got an unexpected keyword argument {next(iter(kwargs))!r}")
        if warmup_prefill:
            self.already_warmed_up_prefill = True
        if start_pos is not None and kv_cache is not None:
            step = math.lcm(kv_cache[0][0][0].shape[2], 64)  # SDPA's query chunk
            start_pos = [int(it) // step * step for it in start_pos]
        self._prefilled_slots |= set(empty_slots if empty_slots is not None else range(len(tokens)))
        out = self.core.prefill_forward_text(
            tokens,
            page_table,
            kv_cache,
            prompt_lens,
            empty_slots,
            sampling_params=sampling_params,
            start_pos=start_pos,
        )
        return out if sampling_params is None else (out, None)

    def decode_forward_llama_vision(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("decode_forward_llama_vision is the vision decode")

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


class GeneratorC(_Tuples):
    """Era C (2026): `decode_forward` only, tuples, `reset_batch`, unknown keywords swallowed."""

    _samples = False

    def decode_forward(
        self,
        tokens: Tensor,
        start_pos: Tensor,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: Any = None,
        reset_batch: bool = False,
        prompt_tokens: Any = None,
        output_tokens: Any = None,
        slot_remap: Any = None,
        defer_device_sampling: bool = False,
        skip_trace_precompile: bool = False,
        **kwargs: Any,
    ) -> Any:
        self.core._check_decode(tokens, start_pos, page_table, is_traced=enable_trace)
        device, samples = self._device, sampling_params is not None
        is_steady = (
            enable_trace
            and samples
            and self._samples
            and not reset_batch
            and not self._prefilled_slots
            and device.tokens is not None
        )
        if is_steady:
            if page_table is not None and not torch.equal(page_table, device.table):
                device.load_table(page_table)
        else:
            self._reload(tokens, start_pos, page_table, keeps_tokens=samples and self._samples)
        self._samples = samples
        self._prefilled_slots.clear()
        device.params = sampling_params
        outputs = device.step(kv_cache, samples=samples)
        return self._finish(outputs, read_from_device=read_from_device, is_tokens=samples)

    def _reload(
        self, tokens: Tensor, start_pos: Tensor, page_table: Tensor | None, *, keeps_tokens: bool
    ) -> None:
        """Load from the host, but keep the device's token where its position fits the host's."""
        device = self._device
        held = list(zip(device.tokens or [], device.positions, strict=keeps_tokens))
        device.load(tokens, start_pos, page_table)
        if not keeps_tokens:
            return
        for slot, (token, at) in enumerate(held):
            fits = at in {device.positions[slot], device.positions[slot] + 1} and at >= 0
            if fits and slot not in self._prefilled_slots:
                device.tokens[slot], device.positions[slot] = token, at


class GeneratorD(_Tuples):
    """Era D (tt-metal PR #51646): the caller says what to reload, and must say it."""

    decode_input_update_contract = 1

    def decode_forward(
        self,
        tokens: Tensor,
        start_pos: Tensor,
        page_table: Tensor | None = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: Any = None,
        prompt_tokens: Any = None,
        output_tokens: Any = None,
        slot_remap: Any = None,
        defer_device_sampling: bool = False,
        *,
        reload_inputs: bool,
        reload_page_table: bool,
        reload_sampling_params: bool,
        reset_sampling_state: bool,
    ) -> Any:
        if reload_inputs and reload_page_table:
            raise ValueError("reload_inputs and reload_page_table are mutually exclusive")
        if reset_sampling_state and not reload_inputs:
            raise ValueError("reset_sampling_state requires reload_inputs=True")
        samples = sampling_params is not None
        device = self._device
        if not reload_inputs and (not enable_trace or not samples or device.tokens is None):
            raise ValueError("decode without token feedback requires reload_inputs=True")
        self.core._check_decode(tokens, start_pos, page_table, is_traced=enable_trace)
        if slot_remap is not None and device.tokens is not None:
            device.tokens = [device.tokens[slot] for slot in slot_remap]
            device.positions = [device.positions[slot] for slot in slot_remap]
        if reload_inputs:
            device.load(tokens, start_pos, page_table)
        elif reload_page_table:
            device.load_table(page_table)
        if samples and (reload_sampling_params or device.params is None):
            device.params = sampling_params
        outputs = device.step(kv_cache, samples=samples)
        return self._finish(outputs, read_from_device=read_from_device, is_tokens=samples)
