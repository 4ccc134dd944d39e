"""The tables of boards, models and published speeds."""

import pytest

from ttdirect.hardware.boards import BOARDS, PRESETS, find_board, find_preset, preset_of
from ttdirect.hardware.limits import limits_for
from ttdirect.hardware.models import MODELS, find_model, recommend, shape_from_config
from ttdirect.hardware.published import FIGURES, describe, published

# Boards


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("n150 L", "N150"),
        (" n300 R ", "N300"),
        ("N300", "N300"),
        ("p100a", "P100"),
        ("p150b", "P150"),
        ("p300c", "P300"),
        ("tt-galaxy-wh", "GALAXY"),
        ("galaxy-wormhole", "GALAXY"),
        ("tt-galaxy-bh", "BLACKHOLE_GALAXY"),
    ],
)
def test_a_board_is_known_by_every_name_that_tools_give_it(said, name):
    assert find_board(said).name == name


@pytest.mark.parametrize("said", ["", " ", "N/A", "unknown", "e150", "n1500"])
def test_an_unknown_board_is_none(said):
    assert find_board(said) is None


def test_dram_is_what_ttnn_hands_out():
    # "12 banks ... bank size is 1068523456 B" in ttnn's out-of-memory error on an N150.
    assert find_board("n150").dram_bytes == 12 * 1_068_523_456
    assert find_board("n300").dram_bytes == 2 * find_board("n150").dram_bytes
    assert find_board("p150").dram_bytes / 1e9 == pytest.approx(34.2, abs=0.1)
    assert find_board("p100").dram_bytes * 8 == find_board("p150").dram_bytes * 7


@pytest.mark.parametrize(
    ("name", "shape", "boards"),
    [
        ("N150", (1, 1), ["n150"]),
        ("N300", (1, 2), ["n300"]),
        ("T3K", (1, 8), ["n300"] * 4),
        ("P150x4", (1, 4), ["p150"] * 4),
        ("P300x2", (1, 4), ["p300"] * 2),
        ("BH-Galaxy", (4, 8), ["tt-galaxy-bh"]),
    ],
)
def test_boards_make_up_the_systems_of_mesh_device(name, shape, boards):
    preset = preset_of([find_board(board) for board in boards])
    assert (preset.name, preset.shape) == (name, shape)
    assert find_preset(name.upper()) is preset


def test_boards_that_tt_metal_has_no_name_for_are_no_system():
    assert preset_of([]) is None
    assert preset_of([find_board("n300")] * 3) is None
    assert preset_of([find_board("n150"), find_board("p150")]) is None


def test_every_mesh_has_the_chips_of_its_boards():
    assert {preset.board for preset in PRESETS} == set(BOARDS)
    for preset in PRESETS:
        assert preset.chips == preset.count * preset.board.chips


# Models


def test_the_memory_of_llama_8b_is_that_of_the_reference():
    shape = find_model("Llama-3.1-8B").shape
    assert shape.kv_bytes_per_token == 69_632
    assert shape.kv_bytes_per_token * 32_768 / 1e9 == pytest.approx(2.28, abs=0.01)
    # 8.03e9 parameters: a byte each and the scales, and one more byte for those of the embedding.
    assert shape.weights_bytes == pytest.approx(8.03e9 * 1.0625 + 0.525e9 * 0.94, rel=0.01)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-8B", "Llama-3.1-8B"),
        ("/models/Mistral-7B-Instruct-v0.3/", "Mistral-7B"),
        ("microsoft/Phi-3-mini-4k-instruct", "Phi-3-mini"),
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama-3.1-70B"),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", "Qwen2.5-32B"),
    ],
)
def test_a_model_is_known_by_its_name_on_the_hub(said, name):
    assert find_model(said).name == name


@pytest.mark.parametrize(
    "said",
    ["", "demo", "Qwen/Qwen3-8B-FP8", "Llama-3.1-8B-AWQ", "Llama-3.2-11B-Vision", "gpt2"],
)
def test_another_model_is_none(said):
    assert find_model(said) is None


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_hub_name_leads_back_to_the_model(model):
    assert find_model(model.hub_name) is model


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_every_system_that_runs_a_model_has_the_memory_and_the_heads_for_it(model):
    for name in (*model.verified, *model.configured):
        preset = find_preset(name)
        assert model.shape.bytes_with(4096) < preset.dram_bytes
        assert model.shape.splits_over(preset.shape[1])
        assert preset.chips >= model.smallest_mesh


def test_the_shape_is_read_from_a_checkpoints_config():
    config = {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_attention_heads": 32,
        "num_hidden_layers": 16,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "vocab_size": 128_256,
    }
    assert shape_from_config(config) == find_model("Llama-3.2-1B").shape
    del config["head_dim"]  # older files leave it to be worked out
    assert shape_from_config(config) == find_model("Llama-3.2-1B").shape


@pytest.mark.parametrize("config", [{}, {"hidden_size": "2048"}, {"num_attention_heads": 0}])
def test_a_config_without_the_numbers_has_no_shape(config):
    assert shape_from_config(config) is None


# What is recommended, and what is published


@pytest.mark.parametrize(
    ("system", "model"),
    [
        ("N150", "Llama-3.1-8B"),
        ("N300", "Llama-3.1-8B"),
        ("P150", "Llama-3.1-8B"),
        ("T3K", "Qwen2.5-72B"),
        ("P300x2", "Qwen3-32B"),
    ],
)
def test_the_largest_model_that_fits_is_recommended(system, model):
    assert recommend(find_preset(system), 32_768).name == model


def test_a_cache_that_takes_the_memory_leaves_a_smaller_model():
    assert recommend(find_preset("N150"), 65_536).name == "Mistral-7B"


def test_a_model_without_an_account_is_recommended_to_those_who_have_none():
    model = recommend(find_preset("N150"), 32_768, without_account=True)
    assert not model.needs_account


def test_nothing_is_recommended_where_tt_metal_names_no_model():
    assert recommend(find_preset("N150x4"), 32_768) is None


def test_the_newest_figure_of_each_batch_is_shown_with_what_it_is_worth():
    alone, together = published(find_model("Llama-3.1-8B"), find_preset("N150"))
    assert (alone.batch, alone.tokens_per_second, alone.ttft_ms) == (1, 28.3, 104)
    assert describe(alone) == (
        "1 request: 28.3 tokens/s each, first token after 104 ms (measured in 2025, superseded)"
    )
    assert (together.batch, together.tokens_per_second) == (32, 23.5)
    assert describe(together).endswith("(CI target of 2026, not a measurement)")


def test_nothing_is_published_for_other_systems():
    assert published(find_model("Llama-3.1-8B"), find_preset("P300")) == []


def test_every_figure_is_of_a_model_and_a_system_in_the_tables():
    for figure in FIGURES:
        model = find_model(figure.model)
        assert find_preset(figure.system).name == figure.system
        assert figure.system in (*model.verified, *model.configured)


def test_tt_metals_own_limit_of_the_cache_is_smaller_on_an_n150():
    model = find_model("Llama-3.1-8B")
    assert model.kv_token_limit(find_preset("N150")) == 32_768
    assert model.kv_token_limit(find_preset("N300")) == 131_072


def test_what_the_settings_do_not_name_gets_the_shortest_pass():
    model = find_model("Llama-3.1-8B")
    named, other = (limits_for(model, find_preset(name)) for name in ("N300", "P150"))
    assert (named.one_pass, named.is_named) == (65_536, True)
    assert (other.one_pass, other.is_named) == (4096, False)
    assert limits_for(find_model("Llama-3.2-3B"), find_preset("N150")).traced == ()
