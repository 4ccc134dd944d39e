"""`ttdirect doctor` on memory: what the server would hold, and whether that is free."""

import json
import struct

import pytest

from ttdirect.cli.checks import memory
from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.memory import available_bytes, check_memory, what_it_needs
from ttdirect.cli.checks.model import FoundModel, find_model
from ttdirect.demo_model import CHECKPOINT
from ttdirect.generator.config import FAMILIES

GIB = 1 << 30
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
}
SHAPES = {
    "model.embed_tokens.weight": [1000, 64],
    "model.layers.0.mlp.down_proj.weight": [64, 128],
    "model.layers.1.mlp.down_proj.weight": [64, 128],
    "model.norm.weight": [64],
}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a model's config, and the headers of its weights alone."""

    def write(config, shapes):
        (tmp_path / "config.json").write_text(json.dumps(config))
        tensors = {name: {"dtype": "BF16", "shape": shape} for name, shape in shapes.items()}
        header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
        (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
        return tmp_path

    return write


@pytest.fixture
def bf16(monkeypatch, tmp_path):
    """Return a function that gives this computer a CPU with or without bfloat16."""

    def set_cpu(flags):
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu sse {flags}\n")
        monkeypatch.setattr(memory, "_CPUINFO", tmp_path / "cpuinfo")

    return set_cpu


@pytest.mark.parametrize(
    ("precision", "flags", "layer_bits", "head_bits", "table_bytes", "kv_bytes"),
    [
        ("auto", "avx2", 8.5, 8.5, 0, 2),
        ("int8", "avx2", 8.5, 8.5, 0, 2),
        ("int4", "avx2", 4.5, 8.5, 0, 2),
        ("bf16", "avx512_bf16", 16, 16, 2, 2),
        ("bf16", "amx_tile", 16, 16, 2, 2),
        ("bf16", "avx2", 32, 32, 2, 4),
        ("fp32", "avx512_bf16", 32, 32, 4, 4),
    ],
)
def test_weights_and_cache_in_each_precision(
    precision, flags, layer_bits, head_bits, table_bytes, kv_bytes, write, bf16
):
    bf16(flags)
    need = what_it_needs(write(CONFIG, SHAPES), {"TTDIRECT_PRECISION": precision})
    layers, embedding = 2 * 64 * 128, 1000 * 64
    expected = (layers * layer_bits + embedding * head_bits) / 8 + embedding * table_bytes
    assert need.weights_bytes == expected
    assert need.kv_cache_bytes == (32_768 + 32) * 2 * 2 * 2 * 16 * kv_bytes
    assert need.precision == ("int8" if precision == "auto" else precision)


def test_a_head_of_its_own_leaves_the_table_as_it_is(write):
    config = CONFIG | {"tie_word_embeddings": False}
    head = {"lm_head.weight": [1000, 64]}
    apart = what_it_needs(write(config, SHAPES | head), {}).weights_bytes
    tied = what_it_needs(write(CONFIG, SHAPES), {}).weights_bytes
    assert apart - tied == 2 * 1000 * 64


def test_the_settings_of_the_server_count(write):
    folder = write(CONFIG, SHAPES)
    environment = {"TTDIRECT_CACHE_TOKENS": "1024", "TTDIRECT_BLOCK_SIZE": "64"}
    need = what_it_needs(folder, environment)
    assert need.cache_tokens == 1024
    assert need.kv_cache_bytes == (1024 + 64) * 2 * 2 * 2 * 16 * 2


def test_a_wrong_setting_is_told(write):
    found = FoundModel(Check("model", "ok", ""), write(CONFIG, SHAPES), 100)
    check = check_memory(found, "cpu", {"TTDIRECT_CACHE_TOKENS": "many"})
    assert check.status == "fail"
    assert check.message.startswith("cache_tokens must be a whole number")


def test_families_of_transformers_have_floats(write, bf16):
    bf16("avx512_bf16")
    need = what_it_needs(write(CONFIG | {"model_type": "gpt_neox"}, SHAPES), {})
    assert need.precision == "bf16"


def test_the_families_are_those_of_the_generator():
    assert memory.INTEGER_FAMILIES == FAMILIES


@pytest.mark.parametrize("gone", ["model_type", "num_hidden_layers", "hidden_size"])
def test_a_config_that_is_not_known_leaves_the_size_of_the_files(gone, write):
    folder = write({key: value for key, value in CONFIG.items() if key != gone}, SHAPES)
    found = FoundModel(Check("model", "ok", ""), folder, 2 << 20)
    assert check_memory(found, "cpu", {}).message.endswith("; the weights take 2 MiB")


def test_a_card_has_memory_of_its_own():
    found = find_model("demo", "cpu")
    for device, environment in (("tenstorrent", {}), ("cpu", {"TTDIRECT_DEVICE": "cuda"})):
        check = check_memory(found, device, environment)
        assert "KV cache" not in check.message
        assert "the weights take 9 MiB" in check.message


def test_the_demo_model_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * GIB)
    check = check_memory(find_model("demo", "cpu"), "cpu", {})
    assert check.message == (
        "8.0 GiB free; the weights take 5 MiB in int8, and the KV cache 64 MiB for 32768 tokens"
    )
    assert CHECKPOINT.is_dir()


@pytest.mark.parametrize(
    ("free", "status"),
    [(8 * GIB, "ok"), (400 << 20, "warn"), (60 << 20, "fail"), (None, "ok")],
)
def test_both_have_to_fit(monkeypatch, free, status):
    monkeypatch.setattr(memory, "available_bytes", lambda: free)
    check = check_memory(find_model("demo", "cpu"), "cpu", {})
    assert check.status == status
    assert bool(check.fix) == (status != "ok")


def test_without_a_model_only_what_is_free_is_told(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * GIB)
    missing = FoundModel(Check("model", "fail", ""))
    assert check_memory(missing, "cpu", {}) == Check("memory", "ok", "8.0 GiB free")


def test_the_memory_that_is_free_is_known_on_linux():
    assert available_bytes() > 0
