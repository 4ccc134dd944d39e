"""`ttdirect doctor`."""

import json
import socket
import struct
import sys
import time
from importlib import metadata

import pytest

from cli.fake_server import HEALTHY, loading
from ttdirect.cli.checks import computer, local_server, model, run_checks
from ttdirect.cli.checks import port as port_module
from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.computer import (
    USE_ANOTHER_PYTHON,
    check_device,
    check_packages,
    check_python,
    check_script,
)
from ttdirect.cli.checks.model import find_model
from ttdirect.cli.checks.port import check_port
from ttdirect.cli.main import main
from ttdirect.hardware.readings import Hardware
from ttdirect.script.create import create
from ttdirect.script.device import DetectedDevice
from ttdirect.script.render import ScriptSettings

NO_CARD = Hardware("none")


def write_weights(path, *, size=64, missing=0):
    """Write a safetensors file of one tensor, cut short by `missing` bytes."""
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]},
        }
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size - missing))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A complete model, which is also the demo model."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text("{}")
    write_weights(folder / "model.safetensors")
    monkeypatch.setattr(model, "CHECKPOINT", folder)
    return folder


# The command


def test_one_line_per_check_and_0_when_nothing_fails(capsys, folder, free_port):
    assert main(["doctor", "--port", str(free_port)]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    names = [line.split()[1] for line in output.out.splitlines()]
    assert names == [
        *("python", "ttdirect", "flask", "gunicorn", "requests"),
        *("torch", "safetensors", "tokenizers", "transformers"),
        *("device", "model", "memory", "port", "script"),
    ]


def test_a_failure_is_told_with_its_fix_and_makes_1(capsys, folder, free_port, monkeypatch):
    monkeypatch.setenv("HF_MODEL", "/nowhere")
    assert main(["doctor", "--port", str(free_port)]) == 1
    assert (
        "fail  model         there is no folder /nowhere; fix: set HF_MODEL to a folder or a hub "
        "name\n"
    ) in capsys.readouterr().out


def test_json_is_a_list_of_objects(capsys, folder, free_port):
    assert main(["doctor", "--json", "--port", str(free_port)]) == 0
    checks = json.loads(capsys.readouterr().out)
    assert all(list(check) == ["name", "status", "message", "fix"] for check in checks)
    assert {check["status"] for check in checks} <= {"ok", "warn"}


def test_the_status_is_coloured_on_a_terminal(capsys, folder, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal(sys.stdout)
    main(["doctor"])
    assert capsys.readouterr().out.startswith("\x1b[32mok  \x1b[0m  python")


def test_it_works_with_every_package_missing(folder, free_port, monkeypatch):
    def none(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", none)
    failed = {
        check.name: check.fix for check in run_checks(free_port, NO_CARD) if check.status == "fail"
    }
    assert failed == {
        **dict.fromkeys(["flask", "gunicorn", "requests"], "pip install ttdirect"),
        **dict.fromkeys(
            ["torch", "safetensors", "tokenizers", "transformers"], "pip install 'ttdirect[cpu]'"
        ),
    }


def test_it_takes_less_than_a_second_and_imports_nothing_that_it_checks(folder, free_port):
    before = set(sys.modules)
    begun = time.process_time()
    run_checks(free_port, NO_CARD)
    assert time.process_time() - begun < 1
    assert not {"torch", "transformers", "ttnn"} & (set(sys.modules) - before)


# Python, packages, device, script


@pytest.mark.parametrize(
    ("version", "card", "status"),
    [
        ((3, 9), False, "fail"),
        ((3, 10), False, "ok"),
        ((3, 13), False, "ok"),
        ((3, 14), False, "warn"),
        ((3, 10), True, "ok"),
        ((3, 11), True, "warn"),
        ((3, 12), True, "ok"),
    ],
)
def test_each_python_is_judged(version, card, status):
    assert check_python(version, card=card).status == status


def test_a_python_that_has_ttnn_is_not_doubted(monkeypatch):
    monkeypatch.setattr(computer, "has_ttnn", lambda: True)
    assert check_python((3, 11), card=True).status == "ok"


def test_a_card_takes_its_packages_from_tt_metal(monkeypatch):
    monkeypatch.setattr(computer, "_MODEL_PACKAGES", ("no-such-package",))
    assert (
        check_packages("tenstorrent")[-1].fix == "use the Python environment of the tt-metal clone"
    )


@pytest.fixture
def card(monkeypatch, tmp_path):
    monkeypatch.setattr(computer, "device_nodes", lambda: [tmp_path / "0"])
    return DetectedDevice("tenstorrent", "A card.")


def test_no_card_is_fine():
    assert check_device(DetectedDevice("cpu", "No card.")) == Check("device", "ok", "No card")


def test_a_card_without_ttnn_is_a_warning(card):
    check = check_device(DetectedDevice("cpu", "No ttnn."))
    assert (check.status, check.message, check.fix) == ("warn", "No ttnn", USE_ANOTHER_PYTHON)


def test_the_script_is_absent_then_as_created_then_changed(plain_environment):
    path = plain_environment / "tt-api-server-direct.py"
    assert check_script().fix == "ttdirect create"
    create(path, ScriptSettings("cpu", "demo"))
    assert check_script().message == f"{path}, as it was created"
    path.write_text("mine")
    assert check_script().message == f"{path}, with changes of yours"
    path.unlink()
    path.mkdir()
    assert check_script().status == "fail"


# The model


def test_without_hf_model_the_demo_model_is_checked_on_the_cpu(folder):
    found = find_model("", "cpu")
    assert found.check.status == "ok"
    assert found.check.message.startswith("the demo model, ")
    assert found.weights_bytes == (folder / "model.safetensors").stat().st_size


def test_without_hf_model_a_card_has_none(folder):
    check = find_model("", "tenstorrent").check
    assert (check.status, check.message) == ("fail", "HF_MODEL is not set")
    assert check.fix.startswith("export HF_MODEL=")


def test_a_complete_folder_is_fine(folder):
    assert find_model(str(folder), "cpu").check.status == "ok"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config.json", "no config.json"),
        ("tokenizer.json", "no tokenizer"),
        ("model.safetensors", "no *.safetensors"),
    ],
)
def test_a_folder_that_lacks_a_file_fails(folder, name, message):
    (folder / name).unlink()
    check = find_model(str(folder), "cpu").check
    assert check.status == "fail"
    assert message in check.message


@pytest.fixture
def sharded(folder):
    """The model in two files with an index."""
    (folder / "model.safetensors").unlink()
    names = ["model-1.safetensors", "model-2.safetensors"]
    for name in names:
        write_weights(folder / name)
    index = {"weight_map": {"a": names[0], "b": names[1], "c": names[0]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def test_shards_are_counted_once(sharded):
    found = find_model(str(sharded), "cpu")
    assert found.weights_bytes == 2 * (sharded / "model-1.safetensors").stat().st_size


def test_a_missing_shard_is_named(sharded):
    (sharded / "model-2.safetensors").unlink()
    assert "model-2.safetensors is missing" in find_model(str(sharded), "cpu").check.message


@pytest.mark.parametrize("index", ["", "[]", "{}", '{"weight_map": 1}', '{"weight_map": {"a": 1}}'])
def test_an_index_that_is_none_is_named(sharded, index):
    (sharded / "model.safetensors.index.json").write_text(index)
    assert "index.json cannot be read" in find_model(str(sharded), "cpu").check.message


def test_a_download_that_broke_off_is_recognised(folder):
    write_weights(folder / "model.safetensors", missing=10)
    check = find_model(str(folder), "cpu").check
    size = (folder / "model.safetensors").stat().st_size
    assert f"model.safetensors has {size} of its {size + 10} bytes" in check.message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version https://git-lfs.github.com/spec/v1\n",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 8) + b'{"w": 1}',
        struct.pack("<Q", 1) + b"\xff",
    ],
)
def test_a_file_that_holds_no_weights_is_recognised(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert "is no safetensors file" in find_model(str(folder), "cpu").check.message


def test_a_hub_model_in_the_cache_is_checked_like_a_folder(folder, plain_environment, monkeypatch):
    for variable, cache in [
        ("XDG_CACHE_HOME", "huggingface/hub"),
        ("HF_HOME", "hub"),
        ("HF_HUB_CACHE", ""),
    ]:
        root = plain_environment / variable
        monkeypatch.setenv(variable, str(root))
        assert find_model("org/some.model", "cpu").check.status == "warn"
        snapshots = root / cache / "models--org--some.model" / "snapshots"
        snapshots.mkdir(parents=True)
        (snapshots / "abc").symlink_to(folder)
        found = find_model("org/some.model", "cpu")
        assert found.check.message.startswith("org/some.model in the hub cache, ")


def test_a_hub_model_that_is_not_here_is_told_with_the_download(monkeypatch):
    check = find_model("org/model", "cpu").check
    assert (check.status, check.fix) == ("warn", "hf download org/model")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert find_model("org/model", "cpu").check.status == "fail"


@pytest.mark.parametrize("name", ["/nowhere", "./nowhere", "a/b/c", "x y", "~/x", "é" * 300, ".."])
def test_a_name_that_is_neither_folder_nor_hub_model_fails(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model(name, "cpu").check.status == "fail"


# The port


def test_a_free_port_is_fine(free_port):
    assert check_port(free_port).message == f"{free_port} is free"


def test_our_server_on_the_port_is_fine_and_named(server):
    port = server.server_address[1]
    check = check_port(port)
    assert check.status == "ok"
    assert check.message == f"a TT Direct API server runs on {port}: healthy, model fake-1b"
    server.healths = [loading("reading weights", 0.5)]
    assert check_port(port).message.endswith(": loading, model None")


def test_our_server_that_failed_is_a_failure(server):
    server.healths = [(503, {**HEALTHY, "status": "failed", "note": "no weights"})]
    check = check_port(server.server_address[1])
    assert check.status == "fail"
    assert check.message.endswith("failed: no weights")


@pytest.mark.parametrize("report", [b"<html>", b"[]", b"[" * 50_000, {}])
def test_a_stranger_on_the_port_fails_with_another_port(server, report):
    server.healths = [(200, report)]
    check = check_port(server.server_address[1])
    assert check.status == "fail"
    assert check.message.endswith("is taken by another program")
    assert check.fix == "ttdirect serve --port 8080"


def test_a_stranger_that_says_nothing_does_not_hold_us_up(monkeypatch):
    monkeypatch.setattr(local_server, "_ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        assert check_port(stranger.getsockname()[1]).status == "fail"


def test_a_port_that_is_not_ours_to_use_fails(monkeypatch):
    monkeypatch.setattr(port_module, "_try_to_listen", lambda port: 13)
    assert check_port(80).message == "80 may not be used by you"


# What an error's last words lead to


def test_a_section_of_the_guide_is_printed_and_nothing_checked(capsys):
    assert main(["doctor", "--explain", "no-kernel-compiler"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("## No kernel compiler\n")
    assert "tt_metal/sfpi-version" in text
    assert text.count("## ") == 1


def test_a_section_that_is_not_there_is_refused_with_those_that_are(capsys):
    assert main(["doctor", "--explain", "no-chip"]) == 2
    error = capsys.readouterr().err
    assert "there is no section 'no-chip'; did you mean 'no-chips'?" in error
    assert "the-device-was-lost" in error
