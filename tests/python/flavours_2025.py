"""tt-metal's Generator before device sampling: eras 0 (~v0.5x) and A (~v0.60)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from era_signatures import Era0, EraA
from flavour_core import Flavour, Inputs
from ttdirect.generator import SamplingParams, get_padded_prefill_len

__all__ = ["Generator0", "GeneratorA", "SamplingParams", "get_padded_prefill_len"]


class _OneTrace(Flavour):
    """Bare tensors, greedy only on the device, page tables kept by reference, one trace."""

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
        self._trace_samples: bool | None = None

    def _prefill(self, call: SimpleNamespace) -> Tensor:
        slots = getattr(call, "empty_slots", None)
        return self.compute_prefill(call, empty_slots=slots)

    def _decode(self, call: SimpleNamespace) -> Any:
        table, params = call.page_table, call.sampling_params
        samples = params is not None
        if samples and params.temperature != 0:
            raise AssertionError(
                "Currently only supporting greedy decoding (temperature=0) on device"
            )
        self.check_decode(call)
        reloads = not call.enable_trace or not samples
        if call.enable_trace:
            reloads |= self._is_new(table, samples=samples)
        if reloads or samples not in self.inputs:
            self.inputs[samples] = Inputs.of(call)
        outputs = self.compute_decode(call, params)
        if not call.read_from_device:
            return outputs
        return self.read_decode_output(outputs, call.tokens.shape[0], samples)

    def _is_new(self, table: Tensor | None, *, samples: bool) -> bool:
        """Compare with the last page table, by reference, as `_easy_trace_text` does."""
        if table is None:
            raise TypeError("'NoneType' object is not iterable")
        if self._trace_samples not in {None, samples}:
            raise AssertionError("the one decode trace holds either logits or tokens, not both")
        self._trace_samples = samples
        previous = self.prev_page_table
        if previous is not None and previous.data_ptr() == table.data_ptr():
            raise AssertionError(
                "page_table is the tensor of the last step, which is kept by reference: a change "
                "in it would not be noticed. Pass a fresh one every step."
            )
        is_new = previous is None or not torch.equal(previous, table)
        if is_new:
            self.prev_page_table = table
        return is_new

    def read_decode_output(
        self,
        tt_logits: list[Tensor],
        B: int,  # noqa: N803  tt-metal's name
        is_tokens: bool = False,
    ) -> Tensor:
        out = torch.cat(tt_logits)
        assert out.shape == ((B,) if is_tokens else (B, 1, out.shape[-1]))
        return out


class Generator0(_OneTrace, Era0):
    """Before v0.60: as A, but prompts have no slots."""


class GeneratorA(_OneTrace, EraA):
    """Era A (~v0.60)."""
