"""`ttdirect download`, against a small hub of our own."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from huggingface_hub import constants

from cli.fake_hub import COMMIT, MODEL, FakeHub
from ttdirect.cli import fetching
from ttdirect.cli.main import main
from ttdirect.demo_model import CHECKPOINT

WEIGHTS = "model.safetensors"
TOKEN = "hf_NobodyShouldSeeThis"


@pytest.fixture
def hub():
    """The demo model on a hub of our own."""
    with FakeHub(CHECKPOINT) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield hub
        hub.go.set()
        hub.shutdown()
        thread.join()


@pytest.fixture
def cache(hub, monkeypatch, tmp_path):
    """Where this process puts what it downloads; the library reads the environment but once."""
    template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def download(cache, capsys):
    """Run the command in this process; returns exit code, events and stderr."""

    def run(name=MODEL):
        code = main(["download", name, "--json-progress"])
        output = capsys.readouterr()
        return code, [json.loads(line) for line in output.out.splitlines()], output.err

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def start(hub, cache):
    """Start the command in a process of its own."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "ttdirect", "download", MODEL, "--json-progress"],
            env={**os.environ, "HF_ENDPOINT": hub.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_until_held(process, hub):
    """Read the progress until the hub holds back the rest, so that no more will come."""
    for line in process.stdout:
        if json.loads(line)["done_bytes"] >= hub.held_at:
            return
    raise AssertionError(process.stderr.read())


def repository(cache):
    return cache / f"models--{MODEL.replace('/', '--')}"


def test_what_loading_needs_is_put_into_the_cache(download, hub, cache, monkeypatch):
    hub.files["consolidated.safetensors"] = b"the same weights again"
    hub.files["pytorch_model.bin"] = b"and again"
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    code, told, _ = download()
    assert code == 0
    folder = Path(told[-1]["folder"])
    assert folder == repository(cache) / "snapshots" / COMMIT
    wanted = {path.name for path in CHECKPOINT.iterdir()} - {"README.md"}
    assert {path.name for path in folder.iterdir()} == wanted
    assert (folder / WEIGHTS).read_bytes() == (CHECKPOINT / WEIGHTS).read_bytes()
    assert (repository(cache) / "refs/main").read_text() == COMMIT
    progress = [event for event in told if event["event"] == "progress"]
    done = [event["done_bytes"] for event in progress]
    assert done[0] == 0
    assert done == sorted(done)
    assert {event["total_bytes"] for event in progress} == {
        sum((CHECKPOINT / name).stat().st_size for name in wanted)
    }
    (weights,) = hub.asked("GET", WEIGHTS)
    assert weights["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in json.dumps(told)


def test_a_download_has_its_file_alone_and_goes_on_where_it_was_ended(start, download, hub, cache):
    hub.go.clear()
    process = start()
    wait_until_held(process, hub)
    # Two at a time would spoil the file.
    assert f"another process downloads {MODEL}" in download()[1][-1]["what"]
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    assert "Traceback" not in process.stderr.read()
    hub.go.set()
    code, told, _ = download()
    assert code == 0
    assert told[0]["done_bytes"] >= hub.held_at
    first, second = hub.asked("GET", WEIGHTS)
    assert "range" not in first
    assert second["range"] == f"bytes={hub.held_at}-"
    weights = Path(told[-1]["folder"]) / WEIGHTS
    assert weights.read_bytes() == (CHECKPOINT / WEIGHTS).read_bytes()
    assert list((repository(cache) / "blobs").glob("*part*")) == []


def test_a_beginning_that_is_damaged_is_found_and_fetched_anew(download, hub, cache, capsys):
    folder = Path(download()[1][-1]["folder"])
    blob = (folder / WEIGHTS).resolve()
    (folder / WEIGHTS).unlink()
    blob.with_name(f"{blob.name}.ttdirect-part").write_bytes(b"<html>Please log in</html>")
    blob.unlink()
    assert "is not what the hub has" in download()[1][-1]["what"]
    assert main(["download", MODEL]) == 0
    output = capsys.readouterr()
    assert output.out == f"The model is in {folder}\n"
    assert "100 % of 0.01 GB" in output.err
    assert (folder / WEIGHTS).read_bytes() == (CHECKPOINT / WEIGHTS).read_bytes()


def test_what_is_here_is_not_asked_for_again(download, hub):
    download()
    asked = len(hub.requests)
    assert [event["event"] for event in download()[1]] == ["done"]
    assert len(hub.requests) == asked


@pytest.mark.parametrize(
    ("name", "refusal", "code", "what"),
    [
        (MODEL, (403, "GatedRepo"), "gated-model", "is gated"),
        ("acme/other", None, "model-not-found", "The hub has no model 'acme/other'"),
        (MODEL, (418, "Broken"), "model-not-found", "the hub cannot be reached"),
        ("a/b--c", None, "model-not-found", "The hub has no model 'a/b--c'"),
        ("gpt2", None, "download", "is not the name of a model on the hub"),
    ],
)
def test_what_goes_wrong_is_told_with_a_fix(name, refusal, code, what, download, hub, capsys):
    hub.refusal = refusal
    exit_code, told, _ = download(name)
    assert exit_code == 1
    assert told[-1]["event"] == "error"
    assert told[-1]["code"] == code
    assert what in told[-1]["what"]
    assert "\n" not in told[-1]["what"]
    assert main(["download", name]) == 1
    error, fix = capsys.readouterr().err.splitlines()[-2:]
    assert error == f"error: {told[-1]['what']}"
    assert fix == f"fix:   {told[-1]['fix']}"


def test_without_a_network_that_is_told(download, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    assert "the hub cannot be reached" in download()[1][-1]["what"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "the hub cannot be reached" in download()[1][-1]["what"]


class TestDisk:
    """Without room, seen from inside the process."""

    @pytest.fixture
    def told(self, monkeypatch, tmp_path, download):
        """Return what the command tells of a model of one large file."""
        file = fetching.RemoteFile(
            WEIGHTS, "http://127.0.0.1:1/", 5_000_000_000, tmp_path / "blobs/weights", None
        )
        monkeypatch.setattr(fetching, "list_files", lambda hub_id: [file])

        def tell(free):
            usage = types.SimpleNamespace(free=free)
            monkeypatch.setattr(fetching.shutil, "disk_usage", lambda folder: usage)
            code, told, _ = download()
            assert code == 1
            return told[-1]

        return tell

    def test_that_is_too_small_is_told_before_anything_is_fetched(self, told):
        error = told(free=2_000_000_000)
        assert error["code"] == "disk-full"
        assert "5.0 GB are still to come, and 2.0 GB are free" in error["what"]

    def test_that_fills_up_meanwhile_is_told(self, told, monkeypatch):
        def fetch(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(fetching, "_fetch", fetch)
        assert told(free=9_000_000_000)["code"] == "disk-full"
