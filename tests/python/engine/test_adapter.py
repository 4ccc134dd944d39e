"""Every tt-metal version is told by its signatures and called as it wants to be."""

from types import SimpleNamespace

import pytest
import torch

from engine.era_stubs import Stub0, StubA, StubB, StubC, StubD, StubLateB
from ttdirect.engine import Memory, adapt
from ttdirect.engine.card_settings import CardSettingError
from ttdirect.engine.eras import UnknownGeneratorError
from ttdirect.generator import Generator

STUBS = [Stub0, StubA, StubB, StubLateB, StubC, StubD]
TABLE = torch.tensor([[5, 6]], dtype=torch.int32)
PREFILL = {"page_table": TABLE, "kv_cache": ["K"], "prompt_lens": [3], "empty_slots": [1]}
DECODE = {"page_table": TABLE, "kv_cache": ["K"]}


class Recorder:
    """What lies below a stub: writes the calls down and answers "logits"."""

    def __init__(self):
        self.calls = []

    def prefill_forward_text(self, tokens, **arguments):
        self.calls.append({"tokens": tokens, **arguments})
        return "logits"

    def decode_forward_text(self, tokens, start_pos, **arguments):
        self.calls.append({"tokens": tokens, "start_pos": start_pos, **arguments})
        return "logits"


@pytest.mark.parametrize("stub", STUBS)
class TestEveryEra:
    def test_decode_gives_plain_logits_and_passes_everything_on(self, stub):
        below = Recorder()
        adapted = adapt(stub(below))
        assert adapted.decode_forward_text("tokens", "positions", **DECODE) == "logits"
        ((call),) = below.calls
        table = call.pop("page_table")
        assert call == {"tokens": "tokens", "start_pos": "positions", "kv_cache": ["K"]}
        assert torch.equal(table, TABLE)
        assert table.data_ptr() != TABLE.data_ptr(), "the caller may change its own"

    def test_prefill_gives_plain_logits_and_passes_on_what_is_known(self, stub):
        below = Recorder()
        assert adapt(stub(below)).prefill_forward_text("tokens", **PREFILL) == "logits"
        slots = {"empty_slots": range(len("tokens"))} if stub is Stub0 else {}  # the stub's own
        known = PREFILL | slots
        assert below.calls == [{"tokens": "tokens", **known, "warmup_prefill": False}]


class TestSeveralModels:
    @pytest.mark.parametrize("stub", STUBS[1:])
    def test_they_are_counted(self, stub):
        generator = stub(Recorder())
        assert adapt(generator).data_parallel == 1
        generator.model = [object()] * 4
        assert adapt(generator).data_parallel == 4

    def test_the_oldest_era_cannot_put_a_prompt_on_the_second_one(self):
        """It takes no slots, and `min(prompts, models)` for the number of models."""
        generator = Stub0(Recorder())
        generator.model = [object()] * 2
        with pytest.raises(
            CardSettingError, match="reads every single prompt into the first"
        ) as it:
            adapt(generator)
        assert "DATA_PARALLEL = 1" in it.value.fix


class TestMemory:
    def test_models_that_tell_are_added_up(self):
        generator = StubA(Recorder())
        generator.model_args = [
            SimpleNamespace(weight_bytes=10, kv_cache_bytes=3),
            SimpleNamespace(weight_bytes=20, kv_cache_bytes=4),
        ]
        assert adapt(generator).memory == Memory(weights_bytes=30, kv_cache_bytes=7)

    @pytest.mark.parametrize("models", [[], [SimpleNamespace(max_batch_size=32)]])
    def test_those_of_tt_metal_do_not(self, models):
        generator = StubA(Recorder())
        generator.model_args = models
        assert adapt(generator).memory is None


class TestDrafts:
    @pytest.mark.parametrize("stub", STUBS)
    def test_no_card_is_taken_to_verify_them(self, stub):
        assert adapt(stub(Recorder())).verifies_drafts is False

    def test_a_generator_that_says_so_does(self):
        class Careful(StubA):
            verifies_drafts = True

        assert adapt(Careful(Recorder())).verifies_drafts is True

    def test_the_cpu_does_with_one_model_that_writes_before_it_reads(self):
        together, apart = (SimpleNamespace(verifies_drafts=it) for it in (True, False))
        for models, verifies in (([together], True), ([apart], False), ([together] * 2, False)):
            generator = Generator(models, [None] * len(models), None)
            assert adapt(generator).verifies_drafts is verifies


class TestDetection:
    def test_nothing_with_only_the_vision_decode_is_taken_for_a_text_generator(self):
        class VisionOnly:
            prefill_forward_text = StubA.prefill_forward_text
            decode_forward = Stub0.decode_forward

        with pytest.raises(UnknownGeneratorError, match="VisionOnly has no text decode"):
            adapt(VisionOnly())

    def test_without_a_prefill_it_says_so(self):
        class DecodeOnly:
            decode_forward = StubC.decode_forward

        with pytest.raises(UnknownGeneratorError, match="DecodeOnly has no prefill_forward_text"):
            adapt(DecodeOnly())

    def test_a_prefill_that_does_not_tell_its_names_is_refused(self):
        # Sending it nothing but the tokens would read every prompt without its page table.
        class Silent(StubC):
            _prefill_forward_text_impl = None

            def prefill_forward_text(self, *args, **kwargs):
                raise AssertionError

        with pytest.raises(UnknownGeneratorError, match=r"Silent.* names no page_table"):
            adapt(Silent(Recorder()))

    def test_required_commands_are_found_behind_a_decode_with_the_old_name(self):
        class Renamed(StubD):
            def decode_forward_text(self, *args, sampling_params=None, reload_inputs, **kwargs):
                return self.decode_forward(*args, reload_inputs=reload_inputs, **kwargs)

        assert adapt(Renamed(Recorder())).decode_forward_text("t", "p", **DECODE) == "logits"

    def test_an_unrelated_object_is_refused(self):
        with pytest.raises(UnknownGeneratorError, match="object has no prefill_forward_text"):
            adapt(object())
