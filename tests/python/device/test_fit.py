"""What does not fit is said before it is loaded, with the numbers."""

import json

import pytest

from ttdirect.device import DeviceError
from ttdirect.device.fit import Room, check_fit, shape_of
from ttdirect.hardware.boards import find_board

CONFIG = {
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128_256,
}
"""Of Llama-3.1-8B."""


def room(board, rows=1, columns=1):
    return Room(find_board(board), rows, columns, trace_bytes=50_000_000)


def refusal(*arguments):
    with pytest.raises(DeviceError) as caught:
        check_fit(*arguments)
    return caught.value


def test_a_model_that_is_too_large_is_told_with_its_numbers():
    error = refusal("meta-llama/Llama-3.1-70B-Instruct", 32_800, room("N150"))
    assert error.code == "not-enough-memory"
    assert str(error) == (
        "Llama-3.1-70B-Instruct does not fit: its weights take 75.9 GB in bfloat8_b and a KV cache "
        "for 32,800 tokens 5.7 GB, but a (1, 1) mesh of N150 chips has 12.8 GB of DRAM."
    )
    assert error.fix.startswith("choose a smaller model, or use more chips")


def test_a_cache_that_is_too_large_is_told_with_the_largest_that_fits():
    """69,632 bytes a token for Llama-3.1-8B (generator-api.md, section 3)."""
    error = refusal("meta-llama/Llama-3.1-8B-Instruct", 131_072, room("N150"))
    assert "a KV cache for 131,072 tokens 9.1 GB" in str(error)
    largest = int(error.fix.split("CACHE_TOKENS in the script to ")[1].split(",")[0])
    check_fit("meta-llama/Llama-3.1-8B-Instruct", largest, room("N150"))
    refusal("meta-llama/Llama-3.1-8B-Instruct", largest + 1024, room("N150"))


def test_more_chips_have_more_room():
    check_fit("meta-llama/Llama-3.1-8B-Instruct", 131_072, room("N300", columns=2))
    check_fit("meta-llama/Llama-3.1-70B-Instruct", 32_800, room("N300", columns=8))


def test_the_default_settings_fit_the_smallest_board_with_the_lessons_model():
    check_fit("meta-llama/Llama-3.1-8B-Instruct", 32_768 + 32, room("N150"))


def test_heads_that_cannot_be_shared_out():
    """ModelArgs asserts `n_kv_heads % cols == 0` (generator-api.md, section 4)."""
    error = refusal("meta-llama/Llama-3.1-8B-Instruct", 0, room("N300", columns=3))
    assert error.code == "unsupported-model"
    assert str(error) == (
        "Llama-3.1-8B-Instruct has 32 attention heads and 8 key-value heads, which cannot be "
        "shared out evenly to 3 columns of chips."
    )
    assert "one row of 1 or 2 or 4 or 8 chips" in error.fix


def test_a_model_that_needs_several_chips():
    """Qwen2.5-7B runs on 2 or 4 devices only (generator-api.md, section 4)."""
    error = refusal("Qwen/Qwen2.5-7B-Instruct", 0, room("N150"))
    assert str(error) == "Qwen2.5-7B-Instruct needs a mesh of at least 2 chips."
    assert "one row of 2 or 4 chips" in error.fix
    check_fit("Qwen/Qwen2.5-7B-Instruct", 0, room("N300", columns=2))
    refusal("Qwen/Qwen2.5-7B-Instruct", 0, room("N300", columns=8))


def test_a_folder_is_measured_by_its_own_config(tmp_path):
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG | {"num_hidden_layers": 320}))
    error = refusal(f"{folder}/", 0, room("N150"))
    assert str(error).startswith("my-model does not fit: its weights take 75.8 GB")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    check_fit(str(folder), 0, room("N150"))


def test_a_model_of_the_hub_is_measured_by_what_was_downloaded(tmp_path, monkeypatch):
    snapshot = tmp_path / "hub" / "models--some--body" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert shape_of("some/body").layers == 32
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "nowhere"))
    assert shape_of("some/body") is None


@pytest.mark.parametrize("config", ["", "[]", "{}", '{"num_hidden_layers": "many"}', None])
def test_what_cannot_be_measured_is_left_to_loading(tmp_path, config):
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    assert shape_of(str(tmp_path)) is None
    check_fit(str(tmp_path), 10**9, room("N150"))
