"""Packed weights that an earlier start has kept: the same answers, and never in the way of one."""

import errno
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch

from checkpoints import build_model, save_model
from generator.conftest import VARIANTS
from ttdirect import generator as ttnn
from ttdirect.generator import packing, weight_cache
from ttdirect.generator.checkpoint import CheckpointTensors
from ttdirect.generator.native import library
from ttdirect.generator.weight_cache import cache_folder, make_room

needs_library = pytest.mark.skipif(library.load() is None, reason="no library for this processor")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """The cache's folder, empty; any model is big enough for it and kept at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(weight_cache.SETTING, raising=False)
    monkeypatch.setattr(weight_cache, "LEAST_BYTES", 0)
    monkeypatch.setattr(packing, "KEEP_AFTER_SECONDS", 0.0)
    return tmp_path / "cache" / "ttdirect" / "weights"


@pytest.fixture
def folder(checkpoint, tmp_path):
    """A checkpoint of the test's own."""
    return Path(shutil.copytree(checkpoint("llama").folder, tmp_path / "model"))


@pytest.fixture
def start(server):
    """Return a function that loads a model, waits until it is kept, and returns its logits."""

    def start(folder, **changes):
        run = server(folder, **{"dtype": ttnn.bfloat8_b} | changes)
        for thread in threading.enumerate():
            if thread.name == "weight-cache":
                thread.join()
        run.admit({0: list(range(20, 90))})
        run.step()
        return torch.stack(run.rows[0].logits)

    return start


@pytest.fixture
def quantised(monkeypatch):
    """How many matrices were quantised: a list that grows by one for each."""
    calls, real = [], packing.quantise

    def quantise(parts, bits):
        calls.append(bits)
        return real(parts, bits)

    monkeypatch.setattr(packing, "quantise", quantise)
    return calls


def change_a_byte(file):
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)


@needs_library
class TestSecondStart:
    @pytest.mark.parametrize("dtype", [ttnn.bfloat8_b, ttnn.bfloat4_b])
    @pytest.mark.parametrize("name", ["llama", "llama-tied", "llama-biases", "phi3"])
    def test_it_quantises_nothing_and_gives_the_same_bits(
        self, name, dtype, checkpoint, start, quantised
    ):
        first = start(checkpoint(name).folder, dtype=dtype)
        assert len(quantised) == 4 * VARIANTS[name][1].get("num_hidden_layers", 2) + 1
        quantised.clear()
        assert torch.equal(start(checkpoint(name).folder, dtype=dtype), first)
        assert not quantised

    def test_it_does_not_write_again(self, folder, start, root):
        start(folder)
        files = {path: path.stat().st_mtime_ns for path in root.glob("*/*")}
        start(folder)
        assert {path: path.stat().st_mtime_ns for path in root.glob("*/*")} == files

    def test_each_precision_and_number_of_layers_has_its_own(self, folder, start, root):
        for changes in ({}, {"dtype": ttnn.bfloat4_b}, {"num_layers": 1}):
            start(folder, **changes)
        assert len(list(root.iterdir())) == 3

    def test_a_changed_checkpoint_is_quantised_anew(self, folder, start, quantised):
        before = start(folder)
        torch.manual_seed(1)
        model_type, changes = VARIANTS["llama"]
        save_model(build_model(model_type, **changes, initializer_range=0.05), folder)
        quantised.clear()
        after = start(folder)
        assert quantised
        assert not torch.equal(after, before)

    def test_a_changed_config_is_not_taken_for_the_same(self, folder, start, quantised):
        start(folder)
        config = folder / "config.json"
        config.write_text(config.read_text().replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1'))
        quantised.clear()
        start(folder)
        assert quantised

    @pytest.mark.parametrize(
        "harm",
        [
            pytest.param(lambda kept: change_a_byte(kept / "0003.safetensors"), id="byte"),
            pytest.param(lambda kept: os.truncate(kept / "0001.safetensors", 50), id="truncated"),
            pytest.param(lambda kept: os.truncate(kept / "0000.safetensors", 0), id="empty"),
            pytest.param(lambda kept: (kept / "0008.safetensors").unlink(), id="missing"),
            pytest.param(lambda kept: (kept / "contents.json").write_text("{"), id="no-json"),
            pytest.param(lambda kept: (kept / "contents.json").write_text("[]"), id="no-object"),
            pytest.param(
                lambda kept: (kept / "contents.json").write_text('{"made_from": "?"}'), id="foreign"
            ),
        ],
    )
    def test_what_is_damaged_is_told_made_anew_and_replaced(
        self, harm, folder, start, root, caplog, quantised
    ):
        first = start(folder)
        (kept,) = root.iterdir()
        harm(kept)
        assert torch.equal(start(folder), first)
        (warning,) = (it.getMessage() for it in caplog.records if it.levelname == "WARNING")
        assert warning.startswith(f"Kept weights in {kept} cannot be used and are made anew: ")
        quantised.clear()
        assert torch.equal(start(folder), first)
        assert not quantised


@needs_library
class TestNothingIsKept:
    def test_before_the_first_answers_had_their_time(self, folder, server, root, monkeypatch):
        monkeypatch.setattr(packing, "KEEP_AFTER_SECONDS", 3600.0)
        server(folder, dtype=ttnn.bfloat8_b)
        (timer,) = (it for it in threading.enumerate() if it.name == "weight-cache")
        timer.cancel()
        assert timer.daemon
        assert not root.exists()

    @pytest.mark.parametrize("setting", ["off", "0", "No"])
    def test_when_it_is_switched_off(self, setting, folder, start, root, monkeypatch):
        monkeypatch.setenv("TTDIRECT_WEIGHT_CACHE", setting)
        start(folder)
        assert not root.exists()

    def test_of_small_models(self, folder, start, root, monkeypatch):
        monkeypatch.setattr(weight_cache, "LEAST_BYTES", 256 << 20)
        start(folder)
        assert not root.exists()

    def test_of_tensors_that_are_in_no_file(self, folder, start, root):
        start(folder, state_dict=dict(CheckpointTensors(folder)))
        assert not root.exists()

    def test_where_nothing_can_be_written(self, folder, start, root, caplog):
        expected = start(folder)
        shutil.rmtree(root)
        root.write_text("a file where the folder should be")
        assert torch.equal(start(folder), expected)
        assert "Weights are not kept for the next start: " in caplog.text

    def test_of_a_disk_that_fills_up_meanwhile(self, folder, start, root, caplog, monkeypatch):
        def fail(_tensors, path):
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(weight_cache._safetensors, "save_file", fail)
        start(folder)
        assert "No space left on device" in caplog.text
        assert not list(root.iterdir())


def test_the_folder_is_below_the_home_folder_unless_told(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/users/someone")
    assert cache_folder() == Path("/users/someone/.cache/ttdirect/weights")


class TestRoom:
    @pytest.fixture
    def folders(self, root, monkeypatch):
        """Three folders of 100 bytes each, the first one used last."""
        monkeypatch.setattr(weight_cache, "MOST_BYTES", 350)
        for age, name in enumerate(["new", "older", "oldest"]):
            (root / name).mkdir(parents=True)
            (root / name / "0000.safetensors").write_bytes(bytes(100))
            then = time.time() - 1000 * (age + 1)
            os.utime(root / name, (then, then))
        return root

    @pytest.mark.parametrize(
        ("needed", "left"),
        [(50, {"new", "older", "oldest"}), (100, {"new", "older"}), (200, {"new"}), (350, set())],
    )
    def test_what_was_used_last_stays(self, folders, needed, left):
        make_room(folders, needed)
        assert {path.name for path in folders.iterdir()} == left

    def test_more_than_the_limit_is_refused(self, folders):
        with pytest.raises(OSError, match="no more than"):
            make_room(folders, 351)

    def test_a_full_disk_is_left_alone(self, folders, monkeypatch):
        usage = shutil.disk_usage(folders)._replace(free=150)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(OSError, match="0 MiB are free"):
            make_room(folders, 100)

    def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(self, folders):
        for name, age in (("unfinished-old", 7200), ("unfinished-now", 0)):
            (folders / name).mkdir()
            os.utime(folders / name, (time.time() - age, time.time() - age))
        make_room(folders, 50)
        assert (folders / "unfinished-now").exists()
        assert not (folders / "unfinished-old").exists()
