"""The methods of tt-metal's Generator in each era: signatures are what tells the eras apart.

A double inherits from its era and says in `_prefill` and `_decode` what happens. Both get the
arguments by name in a `SimpleNamespace`, `kwargs` among them where the era swallows what it does
not know.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

HOST_SAMPLING = {
    "reload_inputs": True,
    "reload_page_table": False,
    "reload_sampling_params": False,
    "reset_sampling_state": False,
}
"""Era D's commands for who samples on the host; written out, not taken from the adapter."""


def _by_name(arguments: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: arguments[name] for name in arguments.keys() - {"self"}})


class Era0:
    """Before v0.60: prompts have no slots, and `decode_forward` is the decode of vision models."""

    def prefill_forward_text(
        self, tokens: Any, page_table: Any = None, kv_cache: Any = None, prompt_lens: Any = None
    ) -> Any:
        return self._prefill(_by_name(locals()))

    def decode_forward_text(
        self,
        tokens: Any,
        start_pos: Any,
        page_table: Any = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: Any = None,
    ) -> Any:
        return self._decode(_by_name(locals()))

    def decode_forward(
        self,
        position_id: int,
        tokens: Any,
        prefill_cross_attention_masks: Any,
        prefill_full_text_row_masked_out_mask: Any,
        decode_cross_attention_masks: Any,
        decode_full_text_row_masked_out_mask: Any,
        xattn_caches: Any = None,
        page_table: Any = None,
        kv_cache: Any = None,
        cross_page_table: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
    ) -> Any:
        raise AssertionError("decode_forward is the vision decode in this era")


class EraA(Era0):
    """Late 2025 (~v0.60): prompts go to slots."""

    def prefill_forward_text(
        self,
        tokens: Any,
        page_table: Any = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
    ) -> Any:
        return self._prefill(_by_name(locals()))


class EraB(EraA):
    """From tt-metal PR #31046 on: prompts can be traced, and the device draws."""

    def prefill_forward_text(
        self,
        tokens: Any,
        page_table: Any = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
        enable_trace: bool = True,
        model_id_warmup: Any = None,
        **kwargs: Any,
    ) -> Any:
        return self._prefill(_by_name(locals()))


class EraLateB(EraA):
    """From PR #33883 on: cached prefixes, results in tuples, a `reset_batch` for the sampler."""

    def prefill_forward_text(
        self,
        tokens: Any,
        page_table: Any = None,
        kv_cache: Any = None,
        prompt_lens: Any = None,
        empty_slots: Any = None,
        enable_trace: bool = True,
        model_id_warmup: Any = None,
        start_pos: Any = None,
        **kwargs: Any,
    ) -> Any:
        return self._prefill(_by_name(locals()))

    def decode_forward_text(
        self,
        tokens: Any,
        start_pos: Any,
        page_table: Any = None,
        kv_cache: Any = None,
        enable_trace: bool = True,
        read_from_device: bool = True,
        sampling_params: Any = None,
        reset_batch: bool = False,
        prompt_tokens: Any = None,
        output_tokens: Any = None,
    ) -> Any:
        return self._decode(_by_name(locals()))


class _Era2026:
    """What C and D share: a public prefill that hides its names behind `*args`."""

    def prefill_forward_text(self, *args: Any, **kwargs: Any) -> Any:
        return self._prefill_forward_text_impl(*args, **kwargs)

    def _prefill_forward_text_impl(
        self,
        tokens: Any,
        page_table: Any = None,
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
        return self._prefill(_by_name(locals()))

    def decode_forward_llama_vision(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("decode_forward_llama_vision is the vision decode")


class EraC(_Era2026):
    """2026: `decode_forward` decodes text, has `reset_batch`, and swallows unknown keywords."""

    def decode_forward(
        self,
        tokens: Any,
        start_pos: Any,
        page_table: Any = None,
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
        return self._decode(_by_name(locals()))


class EraD(_Era2026):
    """From the decode contract on (tt-metal PR #51646): the caller must say what to reload."""

    decode_input_update_contract = 1

    def decode_forward(
        self,
        tokens: Any,
        start_pos: Any,
        page_table: Any = None,
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
        return self._decode(_by_name(locals()))
