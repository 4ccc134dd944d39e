"""What can go wrong: two lines, what happened and what to do, and an exit code that is not 0."""

import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from processes import fake_gunicorn, fake_server, free_port
from ttdirect import server
from waiting import wait_until


def refusal(capsys, script, host, port, **options):
    """What `serve` says when it refuses an address; it ends before anything is started."""
    with pytest.raises(SystemExit) as end:
        server.serve(script.app, script.engine, host, port, **options)
    assert end.value.code == 1
    what, fix, rest = capsys.readouterr().err.split("\n")
    assert what.startswith("error: ")
    assert fix.startswith("fix:   ")
    assert rest == ""
    return what.removeprefix("error: "), fix.removeprefix("fix:   ")


@pytest.fixture
def script(start_lesson):
    return start_lesson(start=False).script


def test_a_port_that_is_taken(capsys, script):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refusal(capsys, script, "127.0.0.1", port) == (
            f"Port {port} on 127.0.0.1 is taken by another program.",
            f"choose another port, for example --port {port % 65535 + 1}",
        )


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_a_port_that_does_not_exist(capsys, script, port):
    assert refusal(capsys, script, "127.0.0.1", port) == (
        f"There is no port {port}.",
        "choose a port from 1 to 65535, for example --port 8080",
    )


def test_a_port_for_administrators_only(capsys, script, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    assert refusal(capsys, script, "127.0.0.1", 80) == (
        "Cannot listen on 127.0.0.1:80: Permission denied.",
        "choose a port from 1024 on, for example --port 8080",
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "x" * 64 + ".com", "a b"])
def test_an_address_that_is_not_this_machines(capsys, script, monkeypatch, host):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    what, fix = refusal(capsys, script, host, free_port())
    assert what.startswith("Cannot listen on ")
    assert fix == "listen on an address of this machine, for example --host 127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_an_open_address_without_a_key(capsys, script, host):
    what, fix = refusal(capsys, script, host, free_port())
    assert what == f"Listening on {host} would let other machines use the model without a key."
    assert "TTDIRECT_API_KEY" in fix
    assert "--no-api-key" in fix


def failure_of(folder):
    """What the editor finds in the server's note."""
    (path,) = (folder / ".cache/ttdirect/servers").glob("*.json")
    return json.loads(path.read_text())["failure"]


def two_lines_of(process):
    """The last two lines of a server that gave up."""
    what, fix = process.lines[-2:]
    assert what.startswith("error: ")
    assert fix.startswith("fix:   ")
    assert "Traceback" not in process.output
    return what.removeprefix("error: "), fix.removeprefix("fix:   ")


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded(tmp_path):
    with fake_server(tmp_path, card={"load_error": "There is no card.\ndetails"}) as process:
        assert process.wait_exit() == 1
        assert two_lines_of(process) == ("There is no card.", "put the card back in")
        assert process.output.count("error: ") == 1


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_loads(tmp_path):
    """What Linux does when the memory is full. A second try would end in the same way."""
    with fake_server(tmp_path, card={"load_seconds": 600}) as process:
        process.wait_for_line("loading fake-1b")
        (worker,) = process.workers
        os.kill(worker, signal.SIGKILL)
        assert process.wait_exit() == 1
        what, fix = two_lines_of(process)
        assert "killed" in what
        assert "memory" in what
        assert "smaller model" in fix
        assert process.output.count("opening the device") == 1


@pytest.mark.slow
def test_a_process_that_crashes_with_a_card_open_ends_the_server(tmp_path):
    """The device is lost: another worker would wait for it, or fail after minutes."""
    with fake_server(tmp_path) as process:
        process.wait_ready()
        (worker,) = process.workers
        os.kill(worker, signal.SIGSEGV)
        assert process.wait_exit() == 1
        what, fix = two_lines_of(process)
        assert "(SIGSEGV), so the device counts as lost." in what
        assert "tt-smi -r" in fix
        assert process.output.count("opening the device") == 1
    assert failure_of(tmp_path) == {"code": "device-crashed", "what": what, "fix": fix}


@pytest.mark.slow
def test_so_does_one_whose_native_code_gives_up_while_it_loads(tmp_path):
    """A check that fails on a thread of ttnn's own ends the process by abort()."""
    with fake_server(tmp_path, card={"abort_in_loading": True}) as process:
        assert process.wait_exit() == 1
        what, fix = two_lines_of(process)
        assert "(SIGABRT), so the device counts as lost." in what
        assert "memory" not in what + fix


@pytest.mark.slow
def test_a_process_that_ends_in_another_way_while_it_loads(tmp_path):
    with fake_server(tmp_path, card={"exit_in_loading": 7}) as process:
        assert process.wait_exit() == 1
        what, fix = two_lines_of(process)
        assert "(exit code 7)" in what
        assert "memory" not in what + fix


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "what", "fix"),
    [
        (
            {"MAX_BATCH_SIZE": "5"},
            "max_batch_size must be one of (1, 2, 4, 8, 16, 32), not 5.",
            "set MAX_BATCH_SIZE in the script to 1, 2, 4, 8, 16 or 32",
        ),
        (
            {"DATA_PARALLEL": "3"},
            "max_batch_size must be one of (1, 2, 4, 8, 16, 32) for each of 3 models, not 32.",
            "set MAX_BATCH_SIZE in the script to 3, 6, 12, 24, 48 or 96",
        ),
        (
            {"DATA_PARALLEL": "0"},
            "DATA_PARALLEL must be 1 or more, not 0.",
            "set DATA_PARALLEL in the script to 1 or more",
        ),
        (
            {"DATA_PARALLEL": "-1"},
            "data_parallel must be 1 or more, not -1.",
            "set DATA_PARALLEL in the script to 1 or more",
        ),
        (
            {"MAX_SEQ_LEN": "1000"},
            "max_seq_len must be a power of two of at least 128, not 1000.",
            "set MAX_SEQ_LEN in the script to such a number, for example 2048",
        ),
    ],
)
def test_a_setting_that_the_engine_refuses(tmp_path, settings, what, fix):
    with fake_server(tmp_path, **settings) as process:
        assert process.wait_exit() == 1
        assert two_lines_of(process) == (what, fix)
        assert process.lines[-1] == f"fix:   {fix}"
    assert failure_of(tmp_path) == {"code": "engine-setting", "what": what, "fix": fix}


@pytest.mark.slow
@pytest.mark.parametrize("setting", ["DATA_PARALLEL", "BLOCK_SIZE"])
def test_so_it_is_under_gunicorns_own_command(tmp_path, setting):
    with fake_gunicorn(tmp_path, "-w1", **{setting: "0"}) as process:
        assert process.wait_exit() == 3
        told = [line for line in process.lines if line.startswith(("error: ", "fix: "))]
        assert told == [
            f"error: {setting} must be 1 or more, not 0.",
            f"fix:   set {setting} in the script to 1 or more",
        ]
        assert "Traceback" not in process.output


@pytest.mark.slow
def test_another_mistake_of_the_script_keeps_its_traceback(tmp_path):
    with fake_server(tmp_path, MAX_QUEUED="1 // 0") as process:
        assert process.wait_exit() == 1
        assert "ZeroDivisionError" in process.lines[-1]
        assert "Traceback" in process.output


@pytest.mark.slow
def test_a_step_that_holds_pythons_lock_ends_the_server(tmp_path):
    """ttnn may do that, and then nothing in the process can answer, or notice a signal."""
    freeze = tmp_path / "freeze"
    card = {"freeze_if": str(freeze), "silence_seconds": 5}
    with fake_server(tmp_path, card=card) as process, ThreadPoolExecutor(1) as pool:
        process.wait_ready()
        freeze.touch()
        call = pool.submit(process.chat, "never answered")
        assert process.wait_exit() == 1
        with pytest.raises(requests.ConnectionError):
            call.result()
        what, fix = two_lines_of(process)
        assert "no sign of life for 5 s, so the device counts as lost" in what
        assert "tt-smi -r" in fix
        assert process.output.count("opening the device") == 1
        wait_until(process.is_gone)
    assert failure_of(tmp_path)["code"] == "device-hangs"


@pytest.mark.slow
def test_a_package_that_is_missing(tmp_path):
    (tmp_path / "flask.py").write_text("raise ModuleNotFoundError(\"No module named 'flask'\")")
    with fake_server(tmp_path) as process:
        assert process.wait_exit() == 3
        what, fix = two_lines_of(process)
        assert what.startswith("No module named 'flask'")
        assert fix == "pip install 'ttdirect[cpu]'"


@pytest.mark.slow
def test_a_model_that_fails_again_and_again_is_loaded_again(tmp_path):
    with fake_server(tmp_path, card={"fail_at_step": 3, "failures": 3}) as process:
        process.wait_ready()
        before = len(process.lines)
        for _ in range(3):
            failed = process.chat("hello")
            assert failed.status_code == 500
            assert failed.json() == {"error": "The model failed while it computed this answer."}
        process.wait_for_line("The server starts again", after=before)
        process.wait_for_line("Server ready", after=before)
        assert process.chat("hello", max_tokens=2).json()["response"] == "Yo"
        assert process.health()["status"] == "healthy"


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_a_killed_master_leaves_nothing(tmp_path):
    with fake_server(tmp_path) as process:
        process.wait_ready()
        before = len(process.lines)
        (first,) = process.workers
        os.kill(first, signal.SIGKILL)
        process.wait_for_line("Server ready", after=before)
        assert process.chat("hello").json()["response"] == "You said: hello"

        (second,) = process.workers
        assert second != first
        process.process.kill()
        process.wait_exit()
        wait_until(process.is_gone)
        with socket.create_server(("127.0.0.1", process.port)):
            pass
