"""Generators with the methods of their era over a core with `FakeGenerator`'s methods.

They refuse what their era would take amiss: the core sees what the adapter let through.
"""

from types import SimpleNamespace

import torch

import era_signatures
from era_signatures import HOST_SAMPLING
from flavours_2026 import SamplingParams
from ttdirect.generator import get_padded_prefill_len

__all__ = ["SamplingParams", "get_padded_prefill_len"]

PREFILL_NAMES = ("page_table", "kv_cache", "prompt_lens", "empty_slots")


class _Stub:
    def __init__(self, core):
        self.core = core

    @property
    def kv_cache(self):
        """What the fake loader gives to every call."""
        return self.core.kv_cache

    def _prefill(self, call, *, warmup_prefill=False):
        arguments = {name: value for name, value in vars(call).items() if name in PREFILL_NAMES}
        return self.core.prefill_forward_text(
            call.tokens, **arguments, warmup_prefill=warmup_prefill
        )

    def _decode(self, call):
        return self.core.decode_forward_text(
            call.tokens, call.start_pos, page_table=call.page_table, kv_cache=call.kv_cache
        )


class _PlainLogits(_Stub):
    """Until late 2025: logits come alone, and a page table is compared with a kept reference."""

    last_table = None

    def _decode(self, call):
        assert call.enable_trace
        assert call.read_from_device
        assert call.sampling_params is None
        assert call.page_table is not self.last_table, "a change in place would not be noticed"
        self.last_table = call.page_table
        return super()._decode(call)


class Stub0(_PlainLogits, era_signatures.Era0):
    """Prompts have no slots: pages alone say whose keys and values they are."""

    def _prefill(self, call):
        assert not hasattr(call, "empty_slots")
        call.empty_slots = range(len(call.tokens))
        return super()._prefill(call)


class StubA(_PlainLogits, era_signatures.EraA):
    pass


class StubB(_PlainLogits, era_signatures.EraB):
    pass


class StubLateB(_PlainLogits, era_signatures.EraLateB):
    """Logits come with log-probabilities, and prompts are told where they go on."""

    def _decode(self, call):
        return super()._decode(call), "log_probs"


class _Tuples(_Stub):
    """2026: logits come with log-probabilities, and a prefill warms up unless told not to."""

    def _prefill(self, call):
        assert not call.kwargs, "unknown names go on to the model"
        return super()._prefill(call, warmup_prefill=call.warmup_prefill), "log_probs"

    def _decode(self, call):
        return super()._decode(call), "log_probs"


class StubC(_Tuples, era_signatures.EraC):
    def _decode(self, call):
        assert not call.kwargs, "the commands of the next era would be swallowed in silence"
        return super()._decode(call)


class StubD(_Tuples, era_signatures.EraD):
    def _decode(self, call):
        assert {name: getattr(call, name) for name in HOST_SAMPLING} == HOST_SAMPLING
        return super()._decode(call)


class _Recorder:
    """Writes down the calls, in the order of their coming, and answers with nonsense."""

    def __init__(self, *, can_sample=True, can_trace=True, models=1):
        sampling = object() if can_sample else None
        self.model = [
            SimpleNamespace(_supports_on_device_sampling=can_sample, sampling=sampling)
            for _ in range(models)
        ]
        args = SimpleNamespace(max_batch_size=2, max_prefill_chunk_size=4096)
        if can_trace:
            args.can_enable_trace = lambda padded, cached=0: padded == 128
        self.model_args = [args] * models
        self.prev_page_table = "the last one"
        self.calls = []

    def _prefill(self, call):
        self.calls.append(call)
        return torch.zeros(len(call.tokens), 1, 8)

    def _decode(self, call):
        call.prev_page_table = self.prev_page_table
        self.calls.append(call)
        rows = len(call.tokens)
        sampled = call.sampling_params is not None
        return torch.full((rows,), 7) if sampled else torch.zeros(rows, 1, 8), None


def recorder(era, **options):
    """A Generator with an era's methods that writes down how it is called."""
    return type("Recorder", (_Recorder, era), {})(**options)
