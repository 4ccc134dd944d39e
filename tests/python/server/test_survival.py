"""Storms, full disks, broken parts: afterwards the server has all that it had before."""

import contextlib
import json
import random
import re
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from operations_app import Metrics
from processes import (
    Connection,
    ServerProcess,
    fake_server,
    free_port,
    running,
    script_for_fake_card,
)
from waiting import wait_until

POOL = 32 + 64 + 8
"""Threads that the server starts when they are needed: batch, queue, and those for /health."""

CHAT = {"prompt": "hello", "max_tokens": 20}
ROUTES = {
    "/chat": CHAT,
    "/chat/stream": CHAT,
    "/v1/completions": CHAT,
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello"}], "stream": True},
}
MISTAKES = [{"prompt": 7}, {"prompt": "hello", "messages": [], "max_tokens": -1}, {"n": "many"}]


class Holdings:
    """What a server's worker holds: threads, open files, and blocks in use."""

    def __init__(self, server: ServerProcess) -> None:
        self._url = server.url
        (worker,) = server.workers
        self._process = Path(f"/proc/{worker}")
        self._idle_files = self.files

    @property
    def threads(self) -> int:
        return int(re.search(r"Threads:\s+(\d+)", (self._process / "status").read_text())[1])

    @property
    def files(self) -> int:
        return len(list((self._process / "fd").iterdir()))

    def wait_until_all_is_back(self) -> None:
        """Return when nobody runs or waits, and every block and file is free again."""
        wait_until(lambda: self.files <= self._idle_files, "that all connections are closed")
        with requests.Session() as session:
            metrics = Metrics(_Client(session, self._url))
        for name in ("num_requests_running", "num_requests_waiting", "kv_cache_usage_perc"):
            assert metrics(f"ttdirect:{name}") == 0, name


class _Client:
    """A server process, as `Metrics` asks it."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session, self._url = session, url

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._url + path, headers={"Connection": "close"}, timeout=60)


def one_of_a_storm(server, number):
    """One client, and what it does: asks, asks wrongly, reads slowly, or leaves."""
    dice = random.Random(number)
    path, fields = dice.choice(list(ROUTES.items()))
    manner = dice.choice(["asks", "errs", "reads slowly", "leaves at once", "leaves later"])
    with Connection(server) as client:
        client.post(path, **(dice.choice(MISTAKES) if manner == "errs" else fields))
        if manner == "leaves at once":
            client.reset()
            return
        begun = client.socket.recv(20)
        assert begun.startswith(b"HTTP/1.1 400" if manner == "errs" else b"HTTP/1.1 200"), begun
        if manner == "leaves later":
            return
        client.socket.settimeout(0.3)  # the connection stays open when the answer is complete
        with contextlib.suppress(TimeoutError):
            while client.socket.recv(10 if manner == "reads slowly" else 65536):
                pass


@pytest.mark.slow
def test_a_storm_of_clients_leaves_nothing_behind(tmp_path):
    with fake_server(tmp_path, card={"step_seconds": 0.002}) as server:
        server.wait_ready()
        server.wait_health(status="healthy")
        holdings = Holdings(server)
        threads = holdings.threads
        with ThreadPoolExecutor(32) as pool:
            list(pool.map(lambda number: one_of_a_storm(server, number), range(400)))
        server.wait_health(running=0, queued=0)
        holdings.wait_until_all_is_back()
        assert holdings.threads <= threads + POOL
        assert server.chat("hello").json()["response"] == "You said: hello"
        assert "Traceback" not in server.output


@pytest.mark.slow
def test_a_crowd_that_gives_up_leaves_nothing_behind(tmp_path):
    hold = tmp_path / "hold"
    with fake_server(tmp_path, card={"hold_while": str(hold)}) as server:
        server.wait_ready()
        server.wait_health(status="healthy")
        holdings = Holdings(server)
        hold.touch()
        crowd = [Connection(server) for _ in range(200)]
        for client in crowd:
            client.post("/chat", **CHAT)
        wait_until(lambda: server.health()["queued"] >= 64, "a full queue")
        for client in crowd:
            client.hang_up()
        hold.unlink()
        begun = time.monotonic()  # the queue is full until the next step finds who has left
        wait_until(lambda: server.chat("hello").json().get("response"), "an answer")
        assert time.monotonic() - begun < 5
        server.wait_health(running=0, queued=0)
        holdings.wait_until_all_is_back()


@pytest.mark.slow
def test_a_server_that_was_killed_starts_again_on_its_port(tmp_path):
    """Even while its clients still hold their ends of the connections."""
    with fake_server(tmp_path, card={"step_seconds": 0.05}) as killed:
        killed.wait_ready()
        client = Connection(killed)
        client.post("/chat/stream", prompt="repeat 200 a", max_tokens=200)
        assert client.socket.recv(100)
        killed.kill_all()
        with client, fake_server(tmp_path, port=killed.port) as server:
            server.wait_ready()
            assert server.port == killed.port
            assert server.chat("hello").json()["response"] == "You said: hello"


ENDS_PROGRAMS = """
@app.get("/exit")
def exit_at_once():
    sys.exit("from a route")


@app.get("/exit-later")
def exit_later():
    return Response(sys.exit("from a stream") if number else "once" for number in range(2))


if __name__ == "__main__":
"""


@pytest.mark.slow
def test_a_request_that_would_end_the_program_ends_alone(tmp_path):
    """A library in Rust that panics raises what is no Exception, as sys.exit() does."""
    script, hold = script_for_fake_card(tmp_path), tmp_path / "hold"
    text = script.read_text().replace("from flask import", "from flask import Response,", 1)
    script.write_text(text.replace('if __name__ == "__main__":\n', ENDS_PROGRAMS, 1))
    card = json.dumps({"hold_while": str(hold)})
    command = [sys.executable, str(script), "--port", "0"]
    with running(command, tmp_path, FAKE_CARD=card) as server:
        server.wait_ready()
        workers = server.workers
        hold.touch()
        with Connection(server) as other:
            other.post("/chat", **CHAT)
            server.wait_health(running=1)
            for path in ("/exit", "/exit-later"):
                with pytest.raises(requests.RequestException):
                    requests.get(server.url + path, timeout=60)
                server.wait_for_line("SystemExit: from a ")
            hold.unlink()
            assert other.answer()[1]["response"] == "You said: hello"
        assert server.workers == workers


@contextlib.contextmanager
def server_with_full_disk(folder, card=None, **env):
    """The script on the fake card; whatever it prints finds no space."""
    script, port = script_for_fake_card(folder), free_port()
    start = f"exec {sys.executable} {script} --port {port} > /dev/full 2>&1"
    # With a buffer, as users have it: what could not be written is tried again at the end.
    env |= {"FAKE_CARD": json.dumps(card or {}), "PYTHONUNBUFFERED": ""}
    with running(["sh", "-c", start], folder, **env) as server:
        server.url = f"http://127.0.0.1:{port}"
        yield server


def wait_until_healthy(server):
    wait_until(lambda: listens(server.port) and server.health()["status"] == "healthy", "readiness")


needs_full_disk = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")


@pytest.mark.slow
@needs_full_disk
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_full_disk_under_the_log_stops_nothing(tmp_path, log_format):
    with server_with_full_disk(tmp_path, TTDIRECT_LOG_FORMAT=log_format) as server:
        wait_until_healthy(server)
        assert server.chat("hello").json()["response"] == "You said: hello"
        assert requests.post(f"{server.url}/chat", json={}, timeout=60).status_code == 400
        with Connection(server, b"no HTTP\r\n\r\n") as client:
            assert client.answer()[0] == 400
        server.terminate()
        assert server.wait_exit() == 0
        wait_until(server.is_gone)


@pytest.mark.slow
@needs_full_disk
def test_a_model_that_cannot_be_loaded_ends_the_server_even_if_nobody_can_be_told(tmp_path):
    with server_with_full_disk(tmp_path, {"load_error": "There is no card."}) as server:
        assert server.wait_exit() == 1
        wait_until(server.is_gone)


@pytest.mark.slow
@needs_full_disk
def test_a_model_that_fails_is_loaded_again_even_if_nobody_can_be_told(tmp_path):
    with server_with_full_disk(tmp_path, {"fail_at_step": 3, "failures": 3}) as server:
        wait_until_healthy(server)
        (first,) = server.workers
        for _ in range(3):
            assert server.chat("hello").status_code == 500
        wait_until(lambda: server.workers not in ([first], []), "a new worker")
        wait_until_healthy(server)
        assert server.chat("hello", max_tokens=2).json()["response"] == "Yo"


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("path", ROUTES)
def test_a_tokenizer_that_fails_while_decoding_ends_one_request(
    start_lesson, monkeypatch, caplog, path
):
    lesson = start_lesson({"step_seconds": 0.005})
    decode = lesson.engine.codec.decode

    def fails_at_a_bell(ids):
        if 7 in ids:
            raise ValueError("the tokenizer in /home/somebody is broken")
        return decode(ids)

    monkeypatch.setattr(lesson.engine.codec, "decode", fails_at_a_bell)

    def ask(prompt, max_tokens):
        messages = [{"role": "user", "content": prompt}]
        asked = {"messages": messages} if path == "/v1/chat/completions" else {"prompt": prompt}
        # A stop string has every token decoded when it comes, not all of them at the end.
        fields = {**asked, "max_tokens": max_tokens, "stop": ["never said"]}
        return lesson.client.post(path, json=fields)

    broken, whole = lesson.in_background(
        lambda: ask("repeat 300 ab\x07cd", 1500), lambda: ask("repeat 5 abcd", 20)
    )()
    sentence = "Something went wrong inside the server; its log says what."
    assert sentence in broken.text
    assert "somebody" not in broken.text
    assert broken.status_code == (200 if path == "/chat/stream" else 500)  # "ab" was sent already
    assert "the tokenizer in /home/somebody is broken" in caplog.text
    assert whole.status_code == 200
    assert sentence not in whole.text
    wait_until(lambda: lesson.engine.stats.finished.total() == 2)
    assert lesson.engine.stats.finished == {"cancelled": 1, "length": 1}
    assert lesson.engine.health().cache_use == 0


@pytest.mark.parametrize("path", ["/chat", "/chat/stream", "/v1/chat/completions"])
def test_a_chat_template_that_raises_is_told_and_takes_no_slot(start_lesson, monkeypatch, path):
    lesson = start_lesson()
    tokenizer = lesson.engine.codec._tokenizer
    template = tokenizer.apply_chat_template

    def refuses_politely(messages, **options):
        if "politics" in messages[-1]["content"]:
            raise RuntimeError("no politics, please\nsee /home/somebody/template.jinja")
        return template(messages, **options)

    monkeypatch.setattr(tokenizer, "apply_chat_template", refuses_politely)

    def ask(prompt):
        asked = {"prompt": prompt} if path != "/v1/chat/completions" else {}
        messages = [{"role": "user", "content": prompt}]
        return lesson.client.post(path, json=asked or {"messages": messages})

    refused = ask("politics")
    assert refused.status_code == 400
    assert "The model's chat template refuses this: no politics, please" in refused.text
    assert "somebody" not in refused.text
    assert lesson.health().json["running"] == lesson.health().json["queued"] == 0
    assert ask("flowers").status_code == 200
