"""The note by which an editor finds the server: there while it runs, gone after an orderly end."""

import json
import os
import signal
import sys
import time

import pytest

from processes import fake_gunicorn, fake_server, running, script_for_fake_card
from ttdirect.server.note import KEEP_SECONDS, Note
from ttdirect.server.terminal import Failure

FOLDER = ".cache/ttdirect/servers"


def read(folder):
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_a_note_tells_who_runs_what_where(tmp_path):
    note = Note(tmp_path)
    note.open(os.getpid(), "script.py", by="script")
    note.listening("http://127.0.0.1:8080")
    assert read(tmp_path) == [
        {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "script": os.path.abspath("script.py"),  # noqa: PTH100 - what a shell would say
            "address": "http://127.0.0.1:8080",
            "by": "script",
            "failure": None,
        }
    ]
    note.close()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_stays_readable_until_another_server_sweeps(tmp_path):
    gone = tmp_path / f"{2**22 + 1}.json"  # above the largest pid
    gone.write_text("{}")
    note = Note(tmp_path)
    note.open(os.getpid(), "script.py", by="script")
    note.failed(Failure("port-taken", "It is taken.", "take another"))
    assert gone.exists()
    old = time.time() - KEEP_SECONDS - 1
    os.utime(gone, (old, old))
    note.open(os.getpid(), "script.py", by="script")
    assert not gone.exists()


def test_a_home_that_cannot_be_written_is_no_failure(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    note = Note(file / "servers")
    note.open(os.getpid(), "script.py", by="script")
    note.listening("http://127.0.0.1:1")
    note.failed(Failure("a", "b", "c"))
    note.close()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["script", "gunicorn"])
def test_a_real_server_keeps_a_note_while_it_runs(tmp_path, by):
    start = {"script": fake_server, "gunicorn": fake_gunicorn}
    arguments = {"script": (), "gunicorn": ("-w1", "--threads=8")}
    with start[by](tmp_path, *arguments[by]) as server:
        server.wait_ready()
        (note,) = read(tmp_path / FOLDER)
        assert note == {
            "pid": server.process.pid,
            "parent": os.getpid(),
            "script": str(tmp_path / "tt-api-server-direct.py"),
            "address": server.url,
            "by": by,
            "failure": None,
        }
        os.kill(note["pid"], signal.SIGTERM)
        assert server.wait_exit() == 0
        assert read(tmp_path / FOLDER) == []


@pytest.mark.slow
def test_a_real_server_that_gives_up_says_why_in_its_note(tmp_path):
    script = script_for_fake_card(tmp_path)
    with running([sys.executable, str(script), "--port", "99999"], tmp_path) as server:
        assert server.wait_exit() == 1
        (note,) = read(tmp_path / FOLDER)
        assert note["failure"]["code"] == "no-such-port"
        assert f"error: {note['failure']['what']}" in server.lines


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_in_the_note_of_the_whole_server(tmp_path):
    with fake_server(tmp_path, {"load_error": "the model is gone"}) as server:
        assert server.wait_exit() == 1
        (note,) = read(tmp_path / FOLDER)
        assert note["pid"] == server.process.pid
        assert note["failure"]["what"] == "the model is gone"
