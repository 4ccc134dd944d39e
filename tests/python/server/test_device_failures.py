"""A device that fails: what the terminal, /health, clients and the editor's note are told."""

import json
import os
import sys
import threading

import pytest

import fake_card
from processes import (
    TESTS,
    fake_gunicorn,
    fake_server,
    load_script,
    running,
    script_for_fake_card,
)
from ttdirect.engine import State
from ttdirect.script.render import ScriptSettings, render
from ttdirect.server import lifecycle
from ttdirect.server.terminal import explain
from waiting import wait_until

NO_CHIPS = """TT_FATAL @ /project/tt_metal/llrt/tt_cluster.cpp:129: num_chips > 0
info:
No chips detected in the cluster
backtrace:
 --- /somewhere/ttnn/_ttnncpp.so(+0xb233e8) [0x7f45481233e8]"""

OUT_OF_MEMORY = """TT_FATAL @ /project/tt_metal/impl/allocator/bank_manager.cpp:514: false
info:
Out of Memory: Not enough space to allocate 2147483648 B DRAM buffer across 12 banks, where each \
bank needs to store 178958336 B, but bank size is 1068523456 B (allocated: 894791680 B, \
free: 173731776 B, largest free block: 173731776 B).
backtrace:"""

HANGS = """TT_THROW @ /project/tt_metal/impl/dispatch/system_memory_manager.cpp:640: tt::exception
info:
TIMEOUT: device timeout, potential hang detected, the device is unrecoverable
backtrace:
 --- /somewhere/ttnn/_ttnncpp.so(+0xb233e8) [0x7f45481233e8]"""


def note_of(folder):
    (path,) = (folder / ".cache/ttdirect/servers").glob("*.json")
    return json.loads(path.read_text())


def assert_two_lines(server, failure):
    """What the terminal shows is what the editor finds in the note."""
    assert server.lines[-2:] == [f"error: {failure['what']}", f"fix:   {failure['fix']}"]
    assert server.output.count("error: ") == 1
    assert "Traceback" not in server.output


@pytest.mark.slow
def test_a_device_that_cannot_be_opened(tmp_path):
    with fake_server(tmp_path, {"error_in_opening": NO_CHIPS}) as server:
        assert server.wait_exit() == 1
    failure = note_of(tmp_path)["failure"]
    assert (failure["code"], failure["what"]) == ("no-chips", "No Tenstorrent chip answers.")
    assert failure["fix"].endswith("(more: ttdirect doctor --explain no-chips)")
    assert_two_lines(server, failure)
    # What ttnn said, for those who know it; not the frames of its C++.
    assert "TT_FATAL @ /project/tt_metal/llrt/tt_cluster.cpp:129: num_chips > 0" in server.output
    assert "_ttnncpp.so" not in server.output


@pytest.mark.slow
def test_a_model_that_fills_the_memory_leaves_the_device_closed(tmp_path):
    with fake_server(tmp_path, {"error_in_loading": OUT_OF_MEMORY}) as server:
        assert server.wait_exit() == 1
    failure = note_of(tmp_path)["failure"]
    assert failure["code"] == "out-of-memory"
    assert "2,147.5 MB more were asked for" in failure["what"]
    assert_two_lines(server, failure)
    assert server.output.count("fake card closed") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "card", "env", "code"),
    [
        ({"MODEL": '"meta-llama/Llama-3.1-70B"'}, {"cluster": "N150"}, {}, "not-enough-memory"),
        ({"MESH_SHAPE": "(1, 8)"}, {"cluster": "N300", "chips": 2}, {}, "mesh-too-large"),
        ({}, {"cluster": "N300", "chips": 2}, {"MESH_DEVICE": "N301"}, "no-such-mesh"),
        (
            {"MODEL": '"meta-llama/Llama-3.1-8B"'},
            {"cluster": "T3K", "chips": 3},
            {},
            "unsupported-model",
        ),
        ({"MODEL": '""'}, {"cluster": "N150"}, {}, "model-not-chosen"),
        (
            {"DATA_PARALLEL": "3", "MAX_BATCH_SIZE": "96"},
            {"cluster": "T3K", "chips": 8},
            {},
            "no-such-parts",
        ),
    ],
)
def test_settings_that_do_not_fit_the_device(tmp_path, settings, card, env, code):
    with fake_server(tmp_path, card, env, **settings) as server:
        assert server.wait_exit() == 1
    failure = note_of(tmp_path)["failure"]
    assert failure["code"] == code
    assert_two_lines(server, failure)
    assert "fake card closed" not in server.output  # it was never opened


@pytest.mark.slow
def test_a_lost_device_ends_the_whole_server_after_it_has_said_so(tmp_path):
    """Another worker on the same board would fail, too; a supervisor may reset it first."""
    hold = tmp_path / "hold"
    hold.touch()
    card = {"fail_at_step": 3, "failure": HANGS, "close_hold_while": str(hold)}
    with fake_server(tmp_path, card) as server:
        server.wait_ready()
        failed = server.chat("hello")
        assert failed.status_code == 500
        assert failed.json() == {"error": "The model failed while it computed this answer."}

        report = server.wait_health(status="failed")
        sentence = "The model failed while it computed: The device does not answer any more."
        assert (report["note"], report["model_loaded"]) == (sentence, False)
        refused = server.chat("hello")
        assert refused.status_code == 503
        assert refused.json() == {"error": sentence}
        assert "Retry-After" not in refused.headers

        hold.unlink()
        assert server.wait_exit() == 1
    failure = note_of(tmp_path)["failure"]
    assert failure["code"] == "device-hangs"
    assert "tt-smi -r" in failure["fix"]
    assert server.lines[-2:] == [f"error: {failure['what']}", f"fix:   {failure['fix']}"]
    assert server.output.count("fake card closed") == 1
    assert server.output.count("opening the device") == 1


@pytest.mark.slow
def test_so_does_gunicorns_own(tmp_path):
    card = {"fail_at_step": 3, "failure": HANGS}
    with fake_gunicorn(tmp_path, "-w1", "--threads=104", card=card) as server:
        server.wait_ready()
        assert server.chat("hello").status_code == 500
        assert server.wait_exit() == 3
    assert note_of(tmp_path)["failure"]["code"] == "device-hangs"


def test_a_device_that_cannot_be_closed_does_not_keep_the_process(monkeypatch, caplog, tmp_path):
    exits, ended = [], threading.Event()
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv("HF_MODEL", "fake-1b")
    monkeypatch.setenv("FAKE_CARD", json.dumps({"error_in_loading": HANGS}))
    monkeypatch.setattr(lifecycle, "CLOSING_SECONDS", 0.01)
    monkeypatch.setattr(lifecycle.os, "_exit", lambda code: (exits.append(code), ended.set()))
    monkeypatch.setattr(
        fake_card, "close_mesh_device", lambda _: fake_card.FileGate(hold).pass_through()
    )
    script = load_script(tmp_path)
    script.engine.on_failed = lambda error: lifecycle._end_after_failure(script.engine, error)
    script.engine.start()
    assert ended.wait(30)
    assert exits == [lifecycle.EXIT_DO_NOT_RETRY]
    assert not script.engine.join(0.0)
    assert "could not be closed in time" in caplog.text
    hold.unlink()
    assert script.engine.join(30)


def test_every_call_to_the_device_is_made_on_the_engines_thread(monkeypatch, tmp_path):
    """ttnn is not thread safe (generator-api.md, section 7)."""
    monkeypatch.setenv("HF_MODEL", "fake-1b")
    monkeypatch.setenv("FAKE_CARD", '{"chips": 2, "cluster": "N300"}')
    fake_card.calls.clear()
    script = load_script(tmp_path)
    assert fake_card.calls == []  # importing the script asks nothing of the device
    script.engine.start()
    wait_until(lambda: script.engine.state is State.READY, "readiness")
    script.engine.drain(10.0)
    assert script.engine.join(30)
    assert [name for name, _, _ in fake_card.calls] == [
        "get_num_devices",
        "set_fabric_config",
        "open_mesh_device",
        "close_mesh_device",
        "set_fabric_config",
    ]
    assert {thread for _, _, thread in fake_card.calls} == {"engine"}


def test_a_known_failure_has_a_code_of_its_own():
    failure = explain(RuntimeError(NO_CHIPS))
    assert (failure.code, failure.what) == ("no-chips", "No Tenstorrent chip answers.")


TTNN = "bfloat8_b = None\n"
MISSING = 'raise ModuleNotFoundError("No module named \'ttnn\'", name="ttnn")\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ttnn", "models", "codes"),
    [
        (MISSING, {}, {"wrong-python", "no-ttnn"}),  # by this Python's version
        (TTNN, {}, {"no-tt-metal"}),
        (TTNN, {"models/__init__.py": ""}, {"wrong-pythonpath"}),
        (
            TTNN,
            {"models/tt_transformers/tt/common.py": "from transformers_of_tomorrow import it"},
            {"missing-requirements"},
        ),
        (
            TTNN,
            {"models/tt_transformers/tt/common.py": "the_wrong = 'version'"},
            {"wrong-tt-metal"},
        ),
    ],
)
def test_a_card_s_script_says_which_part_of_tt_metal_is_missing(tmp_path, ttnn, models, codes):
    library, home = tmp_path / "library", tmp_path / "home"
    for name, text in {"ttnn.py": ttnn, **models}.items():
        path = library / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    home.mkdir()
    script = tmp_path / "tt-api-server-direct.py"
    script.write_text(render(ScriptSettings("tenstorrent", "a/b")))
    env = {"PYTHONPATH": str(library), "TT_METAL_HOME": ""}
    with running([sys.executable, str(script), "--port", "0"], home, **env) as server:
        assert server.wait_exit() == 3
    failure = note_of(home)["failure"]
    assert failure["code"] in codes
    assert failure["fix"].endswith("doctor --explain ttnn-or-tt-metal-is-missing)")
    assert_two_lines(server, failure)


@pytest.mark.slow
def test_tt_metal_home_alone_is_enough(tmp_path):
    """The clone's models, found without PYTHONPATH; here they are the fake card's."""
    clone = tmp_path / "tt-metal" / "models" / "tt_transformers" / "tt"
    clone.mkdir(parents=True)
    (clone / "common.py").write_text("from fake_card import PagedAttentionConfig, create_tt_model")
    (clone / "generator.py").write_text("from fake_card import Generator")
    (clone / "model_config.py").write_text("from fake_card import DecodersPrecision")
    (tmp_path / "ttnn.py").write_text("from fake_card import *\nfrom fake_card import cluster")
    script = tmp_path / "tt-api-server-direct.py"
    script.write_text(render(ScriptSettings("tenstorrent", "fake-1b")))
    env = {
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(tmp_path)]),
        "TT_METAL_HOME": str(tmp_path / "tt-metal"),
        "FAKE_CARD": "{}",
    }
    with running([sys.executable, str(script), "--port", "0"], tmp_path, **env) as server:
        assert server.wait_ready().chat("hello").json()["response"] == "You said: hello"
        (worker,) = server.workers
        assert os.readlink(f"/proc/{worker}/cwd") == str(tmp_path / "tt-metal")  # noqa: PTH115
        server.terminate()
        assert server.wait_exit() == 0


@pytest.mark.slow
def test_the_cpu_s_script_knows_of_no_clone(tmp_path):
    (tmp_path / "fake_card.py").write_text("import what_is_not_there")
    script = script_for_fake_card(tmp_path)
    env = {"PYTHONPATH": str(tmp_path)}
    with running([sys.executable, str(script), "--port", "0"], tmp_path, **env) as server:
        assert server.wait_exit() == 3
    failure = note_of(tmp_path)["failure"]
    assert failure["code"] == "missing-packages"
    assert "No module named 'what_is_not_there'" in failure["what"]
    assert failure["fix"] == "ttdirect doctor shows what is missing"
