"""Generators with the methods of their era over a core with `FakeGenerator`'s methods.

They refuse what their era would take amiss: the core sees what the adapter let through.
"""

import era_signatures
from era_signatures import HOST_SAMPLING

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
    pass


class StubA(_PlainLogits, era_signatures.EraA):
    pass


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
