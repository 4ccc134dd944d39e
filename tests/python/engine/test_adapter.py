"""Every tt-metal version is told by its signatures and called as it wants to be."""

import pytest

from ttdirect.engine import adapt
from ttdirect.engine.adapter import UnknownGeneratorError

PREFILL = {"page_table": "T", "kv_cache": ["K"], "prompt_lens": [3], "empty_slots": [1]}
DECODE = {"page_table": "T", "kv_cache": ["K"]}
HOST_SAMPLING = {
    "reload_inputs": True,
    "reload_page_table": False,
    "reload_sampling_params": False,
    "reset_sampling_state": False,
}


class Era0:
    """Before v0.60: prompts have no slots."""

    def __init__(self):
        self.calls = []

    def prefill_forward_text(self, tokens, page_table=None, kv_cache=None, prompt_lens=None):
        self.calls.append({"tokens": tokens, **given(locals())})
        return "logits"

    def decode_forward_text(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
    ):
        self.calls.append({"tokens": tokens, "start_pos": start_pos, **given(locals())})
        return "logits"

    def decode_forward(self, position_id, tokens, prefill_cross_attention_masks):
        raise AssertionError("this is the decode of the vision models")


class EraA(Era0):
    def prefill_forward_text(
        self, tokens, page_table=None, kv_cache=None, prompt_lens=None, empty_slots=None
    ):
        self.calls.append({"tokens": tokens, **given(locals())})
        return "logits"


class EraC:
    """2026: the public prefill hides its names, decode has a new one, results are tuples."""

    def __init__(self):
        self.calls = []

    def prefill_forward_text(self, *args, **kwargs):
        return self._prefill_forward_text_impl(*args, **kwargs)

    def _prefill_forward_text_impl(
        self,
        tokens,
        page_table=None,
        kv_cache=None,
        prompt_lens=None,
        empty_slots=None,
        enable_trace=True,
        sampling_params=None,
        start_pos=None,
        warmup_prefill=True,
        **kwargs,
    ):
        assert kwargs == {}, "unknown names would go on to the model"
        self.calls.append({"tokens": tokens, "warmup_prefill": warmup_prefill, **given(locals())})
        return "logits", "log_probs"

    def decode_forward(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
        reset_batch=False,
        slot_remap=None,
        **kwargs,
    ):
        assert kwargs == {}, "the commands of the next era would be swallowed in silence"
        self.calls.append({"tokens": tokens, "start_pos": start_pos, **given(locals())})
        return "logits", "log_probs"

    def decode_forward_llama_vision(self, *_):
        raise AssertionError("this is the decode of the vision models")


class EraD(EraC):
    def decode_forward(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
        *,
        reload_inputs,
        reload_page_table,
        reload_sampling_params,
        reset_sampling_state,
    ):
        commands = {name: value for name, value in locals().items() if name in HOST_SAMPLING}
        assert commands == HOST_SAMPLING
        self.calls.append({"tokens": tokens, "start_pos": start_pos, **given(locals())})
        return "logits", "log_probs"


def given(names):
    return {name: names[name] for name in PREFILL if names.get(name) is not None}


@pytest.mark.parametrize("era", [Era0, EraA, EraC, EraD])
class TestEveryEra:
    def test_decode_gives_plain_logits_and_passes_everything_on(self, era):
        generator = era()
        assert adapt(generator).decode_forward_text("tokens", "positions", **DECODE) == "logits"
        assert generator.calls == [{"tokens": "tokens", "start_pos": "positions", **DECODE}]

    def test_prefill_gives_plain_logits_and_passes_on_what_is_known(self, era):
        generator = era()
        assert adapt(generator).prefill_forward_text("tokens", **PREFILL) == "logits"
        (call,) = generator.calls
        known = {name: v for name, v in PREFILL.items() if era is not Era0 or name != "empty_slots"}
        assert call == {"tokens": "tokens", **known} | (
            {"warmup_prefill": False} if era in (EraC, EraD) else {}
        )


class TestDetection:
    def test_nothing_with_only_the_vision_decode_is_taken_for_a_text_generator(self):
        class VisionOnly:
            prefill_forward_text = EraA.prefill_forward_text
            decode_forward = Era0.decode_forward

        with pytest.raises(UnknownGeneratorError, match="VisionOnly has no text decode"):
            adapt(VisionOnly())

    def test_without_a_prefill_it_says_so(self):
        class DecodeOnly:
            decode_forward = EraC.decode_forward

        with pytest.raises(UnknownGeneratorError, match="DecodeOnly has no prefill_forward_text"):
            adapt(DecodeOnly())

    def test_a_prefill_that_does_not_tell_its_names_is_refused(self):
        # Sending it nothing but the tokens would read every prompt without its page table.
        class Silent(EraC):
            _prefill_forward_text_impl = None

            def prefill_forward_text(self, *args, **kwargs):
                raise AssertionError

        with pytest.raises(UnknownGeneratorError, match=r"Silent.* names no page_table"):
            adapt(Silent())

    def test_required_commands_are_found_behind_a_decode_with_the_old_name(self):
        class Renamed(EraD):
            def decode_forward_text(self, *args, sampling_params=None, reload_inputs, **kwargs):
                return self.decode_forward(*args, reload_inputs=reload_inputs, **kwargs)

        assert adapt(Renamed()).decode_forward_text("t", "p", **DECODE) == "logits"

    def test_an_unrelated_object_is_refused(self):
        with pytest.raises(UnknownGeneratorError, match="object has no prefill_forward_text"):
            adapt(object())
