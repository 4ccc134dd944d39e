"""Where prompts are cut: on a CPU as the engine likes, on a card as its model reads them."""

import pytest

from engine.era_stubs import recorder
from engine.test_limits import a_model
from era_signatures import EraA, EraC
from ttdirect.engine import adapt
from ttdirect.engine.card_settings import CardSettings
from ttdirect.engine.pieces import LONGEST, Pieces, pieces_of
from ttdirect.generator import get_padded_prefill_len


def pieces(longest_pass, max_seq_len, block_size=32, **changes):
    changes = {"continues_prompts": True, "padded_length": get_padded_prefill_len, **changes}
    model = a_model(longest_pass=longest_pass, **changes)
    return pieces_of(model, 128, max_seq_len, block_size)


def test_a_cpu_reads_what_the_engine_asks_for():
    assert pieces(None, 2048) == Pieces(128, 128)


def test_a_model_that_cannot_go_on_is_not_cut():
    assert pieces(4096, 2048, continues_prompts=False) is None


@pytest.mark.parametrize(
    ("longest_pass", "max_seq_len", "size"),
    [(4096, 2048, 2048), (1024, 8192, 1024), (131_072, 131_072, LONGEST), (3000, 8192, 2048)],
)
def test_a_card_reads_what_one_pass_takes_and_the_padding_leaves(longest_pass, max_seq_len, size):
    assert pieces(longest_pass, max_seq_len) == Pieces(size, 256)


def test_no_piece_begins_where_attention_cannot_start():
    assert pieces(4096, 512) is None
    assert pieces(4096, 2048, block_size=512) == Pieces(2048, 512)


class TestWhatTheGeneratorSays:
    def test_a_card_names_the_pass_of_its_models(self):
        adapted = adapt(recorder(EraC, models=2), CardSettings())
        assert adapted.longest_pass == 4096

    def test_one_whose_models_trace_no_prompts_is_no_card(self):
        assert adapt(recorder(EraC, can_trace=False), CardSettings()).longest_pass is None

    @pytest.mark.parametrize(
        ("era", "owner", "model", "continues"),
        [
            (EraC, None, None, True),
            (EraC, None, True, True),
            (EraC, None, False, False),
            (EraC, True, False, True),
            (EraC, False, True, False),
            (EraA, True, None, False),
        ],
    )
    def test_the_owner_counts_more_than_the_model(self, era, owner, model, continues):
        generator = recorder(era)
        if model is not None:
            generator.model_capabilities = {"supports_prefix_caching": model}
        settings = CardSettings(continues_prompts=owner)
        assert adapt(generator, settings).continues_prompts is continues

    @pytest.mark.parametrize(
        ("changes", "continues"),
        [
            ({"model_type": "llama"}, True),
            ({"model_type": "qwen2"}, True),
            ({"model_type": "qwen3"}, True),
            ({"model_type": "mistral"}, True),
            ({"model_type": "mistral", "is_multimodal": True}, False),
            ({"model_type": "phi3"}, False),
            ({"model_type": None}, False),
            ({}, False),
        ],
    )
    def test_where_the_base_class_says_nothing_the_families_of_those_for_vllm_go_on(
        self, changes, continues
    ):
        """False in the base class of 2026 stands for nothing said (`prefix_cache`)."""
        generator = recorder(EraC, models=2)
        generator.model_capabilities = {"supports_prefix_caching": False}
        vars(generator.model_args[0]).update(changes)
        assert adapt(generator, CardSettings()).continues_prompts is continues

    @pytest.mark.parametrize("length", [1, 128, 129, 1024, 1025, 2048, 2049, 5000])
    def test_without_tt_metals_own_function_a_prompt_is_padded_all_the_same(
        self, length, monkeypatch
    ):
        monkeypatch.setattr("ttdirect.engine.adapter.beside", lambda *_: None)
        adapted = adapt(recorder(EraC, can_sample=False), CardSettings())
        assert adapted.padded_length(length) == get_padded_prefill_len(length)
