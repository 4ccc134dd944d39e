"""The general path: other causal models of `transformers`, on pages, or refused by name."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from checkpoints import build_model, save_model
from ttdirect import generator as ttnn
from ttdirect.generator import UnsupportedModelError

GENERAL = {
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024, "vocab_size": 320},
    "gpt_neox": {},
    "gemma2": {"head_dim": 16, "sliding_window": 48, "query_pre_attn_scalar": 16},
    "olmo2": {},
}


@pytest.fixture(scope="session")
def general(tmp_path_factory):
    built = {}

    def build(model_type):
        if model_type not in built:
            changes = GENERAL[model_type]
            base = {} if model_type == "gpt2" else {"pad_token_id": None}
            model = build_model(model_type, **{**base, **changes})
            built[model_type] = model, save_model(model, tmp_path_factory.mktemp(model_type))
        return built[model_type]

    return build


@pytest.mark.parametrize("model_type", GENERAL)
def test_other_models_agree_with_transformers(model_type, general, server):
    model, folder = general(model_type)
    run = server(folder)
    lengths = {2: 3, 0: 70, 1: 33}
    run.admit({slot: run.prompt(length) for slot, length in lengths.items()})
    for _ in range(40):
        run.step()
    for slot, length in lengths.items():
        row = run.rows[slot]
        with torch.no_grad():
            expected = model(torch.tensor([row.tokens[:-1]])).logits[0, length - 1 :]
        assert (torch.stack(row.logits) - expected).abs().max() < 1e-4
        assert row.tokens[length:] == expected.argmax(-1).tolist()


def test_page_tables_mean_the_same_on_the_general_path(general, server):
    """Another's block, a swapped table and block 0 show up as wrong text here too."""
    _, folder = general("gpt2")
    run = server(folder)
    run.admit({0: run.prompt(60)})
    tokens, positions, table = run.inputs()
    caches = {"page_table": table, "kv_cache": [run.kv_cache]}
    right = run.generator.decode_forward_text(tokens, positions, **caches)[0, 0].clone()
    table[0, [0, 1]] = table[0, [1, 0]]
    wrong = run.generator.decode_forward_text(tokens, positions, **caches)[0, 0]
    assert (right - wrong).abs().max() > 1e-3
    for layer in run.kv_cache:
        for pool in layer:
            pool[0] = 123.0
    run.admit({1: run.prompt(20)})
    assert not any((pool[0] == 123.0).any() for layer in run.kv_cache for pool in layer)


def test_the_default_precision_rounds_weights_on_the_general_path(general, server):
    _, folder = general("gpt2")
    run = server(folder, dtype=ttnn.bfloat8_b)
    run.admit({0: run.prompt(20)})
    run.step()
    assert run.args.weight_bytes > 0
    assert run.args.kv_cache_bytes > 0


def test_a_cached_prefix_works_on_the_general_path(general, server):
    _, folder = general("gpt2")
    run = server(folder)
    prompt = run.prompt(100)
    run.admit({0: prompt})
    row = run.rows[0]
    blocks = row.blocks[:2] + [run.free.pop() for _ in range(2)]
    logits = run.generator.prefill_forward_text(
        torch.tensor([prompt]),
        page_table=torch.tensor([run.table(blocks)], dtype=torch.int32),
        kv_cache=[run.kv_cache],
        start_pos=[64],
    )
    assert (logits[0, 0] - row.logits[0]).abs().max() < 1e-4


def test_models_with_other_memory_are_refused_by_name(tmp_path, load_model):
    """A state space model has no keys and values to keep in pages."""
    model = build_model("mamba", state_size=8, expand=2, conv_kernel=4)
    with pytest.raises(UnsupportedModelError, match="keeps state that pages") as caught:
        load_model(save_model(model, tmp_path))
    assert "llama, mistral, qwen2, qwen3, phi3, smollm3" in caught.value.fix


def test_unknown_architectures_are_refused_by_name(tmp_path, load_model, checkpoint):
    folder = shutil.copytree(checkpoint("llama").folder, tmp_path / "unknown")
    (folder / "config.json").write_text(json.dumps({"model_type": "martian"}))
    with pytest.raises(UnsupportedModelError, match="transformers says"):
        load_model(folder)


def test_parts_of_a_general_model_are_refused(general, load_model):
    _, folder = general("gpt2")
    with pytest.raises(UnsupportedModelError, match="loads it whole"):
        load_model(folder, num_layers=1)
