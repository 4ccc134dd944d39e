"""`ttdirect models`: what is here, what is worth a download, and what has room."""

import json
import shutil
from pathlib import Path

import pytest

from ttdirect.cli import judgement
from ttdirect.cli.checks import memory
from ttdirect.cli.main import main
from ttdirect.demo_model import CHECKPOINT
from ttdirect.hardware import catalogue
from ttdirect.hardware.boards import BOARDS
from ttdirect.hardware.catalogue import CATALOGUE
from ttdirect.hardware.models import MODELS
from ttdirect.hardware.readings import BoardReading, Hardware
from ttdirect.script.device import DetectedDevice

GIB = 1 << 30
SMALL, LARGE = "HuggingFaceTB/SmolLM2-135M-Instruct", "meta-llama/Llama-3.1-8B-Instruct"


@pytest.fixture
def models(capsys, monkeypatch):
    """Run the command; returns the models by id, on a computer with 8 GiB of free memory."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * GIB)

    def run(*named):
        assert main(["models", "--json", *map(str, named)]) == 0
        printed = json.loads(capsys.readouterr().out)
        return {model["id"]: model for model in printed["models"]}

    return run


@pytest.fixture
def card(monkeypatch):
    """Put a board into this computer, with ttnn."""

    def install(name):
        board = next(it for it in BOARDS if it.name == name)
        reading = BoardReading(name, board, ())
        hardware = Hardware("sysfs", boards=(reading,))
        monkeypatch.setattr("ttdirect.hardware.telemetry.read_hardware", lambda: hardware)
        detected = DetectedDevice("tenstorrent", "")
        monkeypatch.setattr(judgement, "detect_device", lambda: detected)

    return install


def put_into_cache(home, name, **config):
    """Make the demo model lie in the hub's cache as `name`."""
    folder = home / f".cache/huggingface/hub/models--{name.replace('/', '--')}/snapshots/0123"
    shutil.copytree(CHECKPOINT, folder)
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(told | config))
    return folder


def test_the_shipped_model_comes_first_and_fits(models):
    (first, *_), entries = models(), models()
    assert first == "demo"
    demo = entries["demo"]
    assert demo["origin"] == "shipped"
    assert (demo["is_here"], demo["fits"], demo["is_supported"]) == (True, "yes", True)
    assert demo["parameters"] == pytest.approx(4.46e6, rel=0.01)
    assert demo["precision"] == "int8"
    assert demo["reason"] == "needs 70 MiB of the 8.0 GiB that are free"


@pytest.mark.parametrize(
    ("free", "fits", "reason"),
    [
        (20 * GIB, "yes", "of the 20.0 GiB that are free"),
        (12.6 * GIB, "tight", "of the 12.6 GiB that are free"),
        (8 * GIB, "no", "needs 12.4 GiB, but 8.0 GiB are free"),
        (None, "unknown", "needs 12.4 GiB"),
    ],
)
def test_memory_decides_what_fits(free, fits, reason, models, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: free and int(free))
    model = models()[LARGE]
    assert model["fits"] == fits
    assert model["reason"].endswith(reason)
    assert model["needs_account"]


def test_what_needs_a_server_room_is_left_out_unless_it_fits(models, monkeypatch):
    assert "Qwen/Qwen2.5-72B-Instruct" not in models()
    monkeypatch.setattr(memory, "available_bytes", lambda: 512 * GIB)
    assert models()["Qwen/Qwen2.5-72B-Instruct"]["fits"] == "yes"


def test_complete_language_models_of_the_cache_are_listed(models, plain_environment):
    put_into_cache(plain_environment, "acme/tiny")
    put_into_cache(plain_environment, SMALL)
    put_into_cache(plain_environment, "acme/whisper", architectures=["WhisperModel"])
    broken = put_into_cache(plain_environment, "acme/broken") / "model.safetensors"
    broken.write_bytes(broken.read_bytes()[:1000])
    entries = models()
    assert entries["acme/tiny"]["origin"] == "cached"
    assert entries["acme/tiny"]["memory_bytes"] == entries["demo"]["memory_bytes"]
    # Recommended and here: the files know more than the catalogue.
    assert entries[SMALL]["origin"] == "cached"
    assert entries[SMALL]["parameters"] == entries["demo"]["parameters"]
    assert "acme/whisper" not in entries
    assert "acme/broken" not in entries


def test_whatever_is_named_is_judged(models, tmp_path, plain_environment):
    put_into_cache(plain_environment, "acme/tiny")
    entries = models(CHECKPOINT, tmp_path, "acme/tiny", "acme/other", SMALL.lower())
    assert entries[str(CHECKPOINT)]["origin"] == "folder"
    assert entries[str(CHECKPOINT)]["fits"] == "yes"
    assert not entries[str(tmp_path)]["is_here"]
    assert "no config.json" in entries[str(tmp_path)]["reason"]
    assert entries["acme/tiny"]["origin"] == "cached"
    assert entries["acme/other"]["origin"] == "named"
    assert entries["acme/other"]["fits"] == "unknown"
    assert list(entries).count(SMALL) == 1


def test_what_the_server_computes_slowly_or_not_at_all_is_told(models, plain_environment):
    put_into_cache(plain_environment, "acme/neox", model_type="gpt_neox")
    put_into_cache(plain_environment, "acme/gptq", quantization_config={"bits": 4})
    entries = models()
    assert not entries["acme/neox"]["is_supported"]
    assert "transformers computes this family, which is slower" in entries["acme/neox"]["reason"]
    assert entries["acme/gptq"]["fits"] == "no"
    assert "quantised already" in entries["acme/gptq"]["reason"]


def test_a_card_gets_what_tt_metal_names_for_it(models, card):
    card("N150")
    entries = models("acme/other")
    large = entries[LARGE]
    assert (large["fits"], large["is_supported"]) == ("yes", True)
    assert large["tokens_per_second"] == 28.3
    assert large["precision"] == "bfloat8_b"
    assert "of the 12." in large["reason"] or "of the 11." in large["reason"]
    assert SMALL not in entries
    assert "Qwen/Qwen2.5-7B-Instruct" not in entries
    assert entries["acme/other"]["fits"] == "unknown"
    assert entries["demo"]["reason"] == "it answers on the CPU only"


def test_what_is_too_large_for_a_card_is_told(models, card, capsys):
    card("N150")
    model = models("Qwen/Qwen3-32B", "Qwen/Qwen2.5-7B-Instruct")
    assert model["Qwen/Qwen3-32B"]["fits"] == "no"
    assert "does not fit" in model["Qwen/Qwen3-32B"]["reason"]
    assert model["Qwen/Qwen2.5-7B-Instruct"]["reason"].startswith("needs 2 chips or more")


def test_the_table_for_people_says_the_same(models, capsys):
    entries = models()
    assert main(["models"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["model", "size", "download", "memory", "fits", "why"]
    assert [row.split()[0] for row in rows] == list(entries)
    (row,) = (row for row in rows if row.startswith(LARGE))
    assert row.split()[1:7] == ["8.0B", "16.1", "GB", "12.4", "GiB", "no"]
    assert row.endswith("asks for an account on the hub")


def test_a_wrong_setting_is_told(monkeypatch, capsys):
    monkeypatch.setenv("TTDIRECT_CACHE_TOKENS", "many")
    assert main(["models"]) == 2
    assert "cache_tokens must be a whole number" in capsys.readouterr().err


class TestCatalogue:
    """What we recommend, against what is known of it elsewhere."""

    def test_every_model_of_the_table_is_in_it(self):
        assert {model.hub_name for model in MODELS} <= {it.hub_name for it in CATALOGUE}
        assert {model.name for model in MODELS} == set(catalogue._KINDS)

    def test_the_smallest_come_first_and_each_but_once(self):
        sizes = [it.parameters for it in CATALOGUE]
        assert sizes == sorted(sizes)
        assert len({it.hub_name for it in CATALOGUE}) == len(CATALOGUE)

    def test_every_family_has_a_decoder_of_our_own(self):
        assert {it.family for it in CATALOGUE} <= set(memory.INTEGER_FAMILIES)

    @pytest.mark.parametrize(
        ("name", "parameters", "gigabytes"),
        [
            # The numbers of the hub's model cards.
            (SMALL, 134.5e6, 0.27),
            ("Qwen/Qwen3-0.6B", 596e6, 1.5),
            ("meta-llama/Llama-3.2-1B-Instruct", 1.24e9, 2.47),
            (LARGE, 8.03e9, 16.06),
            ("mistralai/Mistral-7B-Instruct-v0.3", 7.25e9, 14.5),
            ("Qwen/Qwen2.5-7B-Instruct", 7.62e9, 15.2),
        ],
    )
    def test_sizes_are_those_of_the_hub(self, name, parameters, gigabytes):
        (found,) = (it for it in CATALOGUE if it.hub_name == name)
        assert found.parameters == pytest.approx(parameters, rel=0.01)
        assert found.download_bytes == pytest.approx(gigabytes * 1e9, rel=0.02)

    def test_a_checkpoint_of_the_same_shape_is_judged_the_same(self):
        config = json.loads(Path(CHECKPOINT, "config.json").read_text())
        shape = catalogue.ModelShape(
            config["num_hidden_layers"],
            config["hidden_size"],
            config["intermediate_size"],
            config["num_attention_heads"],
            config["num_key_value_heads"],
            config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"],
            config["vocab_size"],
        )
        tied = bool(config["tie_word_embeddings"])
        checkpoint = catalogue.Checkpoint("a/b", config["model_type"], shape, tied)
        judge = judgement.Judge(Hardware("none"))
        ours = judge.folder("demo", CHECKPOINT, config)
        assert judge.checkpoint(checkpoint).memory_bytes == ours.memory_bytes
