"""The script under gunicorn's own command: it serves, or says why it does not."""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from gunicorn.config import Workers

from processes import fake_gunicorn, free_port
from ttdirect.server import gunicorn_app, start_in_gunicorn

SEVERAL = (
    "gunicorn was told to start 2 workers, and each would load the model again; "
    "one device serves one model."
)


@pytest.mark.slow
def test_gunicorn_serves_other_machines_with_a_key_and_finishes_what_runs(tmp_path):
    arguments = ["-w", "1", "--threads", "104", "--graceful-timeout", "6"]
    options = {"card": {"step_seconds": 0.01}, "env": {"TTDIRECT_API_KEY": "s3cret-of-ours"}}
    bind = ["-b", f"0.0.0.0:{free_port()}"]
    with (
        fake_gunicorn(tmp_path, *bind, *arguments, **options) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        server.wait_ready()
        assert "note: " not in server.output
        assert server.health()["status"] == "healthy"
        assert server.chat("hello").status_code == 401
        server.headers["Authorization"] = "Bearer s3cret-of-ours"
        assert server.chat("hello").json()["response"] == "You said: hello"
        assert server.chat("hello", max_token=5).status_code == 400

        # 6 s of patience leave 1 s to finish answers: enough for one of these, not for the other.
        long = pool.submit(server.chat, "repeat 1900 b", max_tokens=1900)
        server.wait_health(running=1)
        short = pool.submit(server.chat, "repeat 9 a", max_tokens=9)
        server.wait_for_line('asks  "repeat 9 a"')
        server.wait_health(queued=0)
        server.terminate()
        assert short.result().json()["response"] == "a" * 9
        assert long.result().json()["finish_reason"] == "abort"
        assert set(long.result().json()["response"]) == {"b"}
        assert server.wait_exit() == 0
        assert "fake card closed" in server.output
        assert "Traceback" not in server.output
        assert "s3cret" not in server.output


@pytest.mark.slow
def test_gunicorn_stops_when_it_was_told_to_start_two_workers(tmp_path):
    with fake_gunicorn(tmp_path, "-w", "2") as server:
        assert server.wait_exit() != 0
        errors = [line for line in server.lines if line.startswith("error: ")]
        fixes = [line for line in server.lines if line.startswith("fix:   ")]
        assert 1 <= len(errors) == len(fixes) <= 2  # each worker says it; none is started again
        assert set(errors) == {f"error: {SEVERAL}"}
        assert "opening the device" not in server.output


@pytest.fixture
def under_gunicorn(monkeypatch, start_lesson, capsys):
    """A function that imports the script as gunicorn does, and returns what the terminal shows."""
    engine = start_lesson(start=False).engine
    started = []

    def start_in_worker(*arguments, card_loading_seconds):
        started.append((*arguments, card_loading_seconds))

    monkeypatch.setattr(gunicorn_app, "start_in_worker", start_in_worker)
    monkeypatch.setattr(gunicorn_app, "set_up_log", lambda: None)
    monkeypatch.setenv("SERVER_SOFTWARE", "gunicorn/27.0")
    monkeypatch.delenv("GUNICORN_CMD_ARGS", raising=False)

    def start(*arguments):
        monkeypatch.setattr(sys, "argv", ["gunicorn", *arguments, "tt-api-server-direct:app"])
        started.clear()
        start_in_gunicorn(engine)
        return started, capsys.readouterr().err

    return start


def refusal(under_gunicorn, capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        under_gunicorn(*arguments)
    assert end.value.code == 3  # after this code gunicorn does not start another worker
    what, fix, rest = capsys.readouterr().err.split("\n")
    assert rest == ""
    return what.removeprefix("error: "), fix.removeprefix("fix:   ")


def test_two_workers_are_refused_however_they_were_asked_for(under_gunicorn, capsys, monkeypatch):
    fix = "use one worker: gunicorn -w 1 ... (it answers many requests at once)"
    assert refusal(under_gunicorn, capsys, "-w", "2") == (SEVERAL, fix)
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 2")
    assert refusal(under_gunicorn, capsys) == (SEVERAL, fix)
    monkeypatch.delenv("GUNICORN_CMD_ARGS")
    monkeypatch.setattr(Workers, "default", 2)  # WEB_CONCURRENCY, read when gunicorn is imported
    assert refusal(under_gunicorn, capsys) == (SEVERAL, fix)


def test_preloading_is_refused(under_gunicorn, capsys):
    what, fix = refusal(under_gunicorn, capsys, "--preload")
    assert what.startswith("gunicorn was told to preload the app")
    assert fix == "start gunicorn without --preload"


@pytest.mark.parametrize("kind", ["gevent", "eventlet", "tornado", "uvicorn.workers.UvicornWorker"])
def test_workers_of_another_kind_are_refused(under_gunicorn, capsys, kind):
    what, fix = refusal(under_gunicorn, capsys, "-k", kind)
    assert what.startswith(f"gunicorn's {kind} workers do not fit")
    assert fix == "use threads: gunicorn -w 1 --threads 104 ..."


@pytest.mark.parametrize("bind", ["0.0.0.0:8080", "[::]:8080", ":8080", "192.168.0.7:80"])
def test_an_open_address_without_a_key_is_refused(under_gunicorn, capsys, bind):
    what, fix = refusal(under_gunicorn, capsys, "-b", bind)
    assert what.startswith("Listening on ")
    assert "TTDIRECT_API_KEY" in fix


def test_one_open_address_of_several_is_refused(under_gunicorn, capsys):
    refusal(under_gunicorn, capsys, "-b", "127.0.0.1:8080", "-b", "0.0.0.0:8081")


def test_an_open_address_that_is_handed_over_is_refused(under_gunicorn, capsys):
    with socket.create_server(("0.0.0.0", 0)) as listener:
        refusal(under_gunicorn, capsys, "-b", f"fd://{listener.fileno()}")


@pytest.mark.parametrize("bind", ["127.0.0.1:8080", "[::1]:8080", "localhost:1", "unix:/tmp/x"])
def test_addresses_of_this_machine_need_no_key(under_gunicorn, bind):
    started, shown = under_gunicorn("-b", bind, "--threads", "104")
    assert len(started) == 1
    assert shown == ""


def test_too_few_threads_get_a_note(under_gunicorn):
    for arguments, threads in ([], 1), (["--threads", "8"], 8):
        started, shown = under_gunicorn(*arguments)
        assert len(started) == 1
        assert shown == (
            f"note:  this gunicorn serves {threads} at a time, /health included; with "
            "--threads 104 all that fit into the batch and the queue are served together\n"
        )


def test_on_a_card_little_patience_gets_a_note(under_gunicorn, monkeypatch):
    """In wheel 0.81.1 `open_mesh_device` holds Python's lock: the worker gives no sign then."""
    enough = ("--threads", "104")
    assert under_gunicorn(*enough)[1] == ""
    monkeypatch.setitem(sys.modules, "ttnn", None)
    for patience, is_told in (None, True), ("60", True), ("120", False), ("0", False):
        arguments = ("--timeout", patience) if patience else ()
        started, shown = under_gunicorn(*enough, *arguments)
        assert len(started) == 1
        assert shown.startswith("note:  this gunicorn ends a worker") is is_told
        assert ("--timeout 120" in shown) is is_told


def test_answers_get_less_time_than_gunicorn_has_patience(under_gunicorn):
    """A model that is being loaded on a card gets all of it, since the card has to be closed."""
    for patience, answers, loading in ("30", 25.0, 25.0), ("12", 7.0, 7.0), ("620", 25.0, 600.0):
        ((_engine, _address, *seconds),), _ = under_gunicorn("--graceful-timeout", patience)
        assert seconds == [answers, loading]


def test_an_ordinary_import_starts_nothing(under_gunicorn, monkeypatch):
    monkeypatch.delenv("SERVER_SOFTWARE")
    started, shown = under_gunicorn()
    assert (started, shown) == ([], "")
