"""What a loaded model holds: told to the byte, foretold by `ttdirect doctor`, and nothing else."""

import sys
from pathlib import Path

import pytest
import torch

from ttdirect.cli.checks.memory import what_it_needs
from ttdirect.demo_model import CHECKPOINT
from ttdirect.generator import PagedAttentionConfig
from ttdirect.generator.checkpoint import CheckpointTensors
from ttdirect.generator.native import library

PRECISIONS = ["int8", "int4", "bf16", "fp32"]
needs_library = pytest.mark.skipif(library.load() is None, reason="no library for this processor")


@needs_library
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_doctor_foretells_what_is_loaded(precision, load_model, monkeypatch):
    monkeypatch.setenv("TTDIRECT_PRECISION", precision)
    pool = PagedAttentionConfig(block_size=32, max_num_blocks=1025)  # the script's
    args, *_ = load_model(CHECKPOINT, paged_attention_config=pool)
    need = what_it_needs(CHECKPOINT, {"TTDIRECT_PRECISION": precision})
    assert args.kv_cache_bytes == need.kv_cache_bytes
    assert args.weight_bytes == pytest.approx(need.weights_bytes, rel=0.001)


@pytest.mark.parametrize("name", ["llama", "llama-tied"])
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.skipif(sys.platform != "linux", reason="tells its mappings elsewhere, or nowhere")
def test_no_page_of_the_checkpoint_stays(name, precision, checkpoint, load_model, monkeypatch):
    monkeypatch.setenv("TTDIRECT_PRECISION", precision)
    _args, _model, _kv_cache, tensors = load_model(checkpoint(name).folder)
    assert str(checkpoint(name).folder) not in Path("/proc/self/maps").read_text()
    assert tensors["model.norm.weight"].shape == (64,)  # and yet it can be read again


def test_a_tensor_outlives_the_mapping_of_others(checkpoint):
    tensors = CheckpointTensors(checkpoint("llama").folder)
    first = tensors["model.embed_tokens.weight"]
    expected = first.clone()
    for name in tensors:
        assert tensors[name].isfinite().all()
    assert torch.equal(first, expected)
