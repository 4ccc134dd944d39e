"""Clients that are slow on purpose: many of them, and nobody else notices."""

import select
import selectors
import socket
import statistics
import sys
import time
from types import SimpleNamespace

import pytest

from processes import Connection, running, script_for_fake_card
from ttdirect.server import worker
from waiting import wait_until

CLIENTS = 150  # more than the server has threads

HEAD = b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
SLOW = {
    "heads": b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    "bodies": HEAD + b"Content-Length: 1000\r\n\r\n{",
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "uploads": HEAD + b"Content-Length: 1000000\r\n\r\n" + b" " * 65536,
    "asked": HEAD + b"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
    "endless heads": b"GET /health HTTP/1.1\r\n" + b"X: %b\r\n" % (b"x" * 4000) * 10,
    "lingerers": b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
}


def median_health_seconds(server):
    taken = []
    for _ in range(5):
        begun = time.monotonic()
        assert server.health()["status"] == "healthy"
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_keep_nobody_waiting(server, kind):
    """They would, if each got a thread: a test with gunicorn's own worker waits for ever."""
    slow = [Connection(server, SLOW[kind]) for _ in range(CLIENTS)]
    try:
        assert median_health_seconds(server) < 1.0
        assert server.chat("hello").json()["response"] == "You said: hello"
    finally:
        for client in slow:
            client.reset()


@pytest.mark.slow
def test_a_slow_request_is_answered_when_it_is_whole(server):
    body = b'{"prompt": "at last"}'
    with Connection(server, HEAD + b"Content-Length: %d\r\n" % len(body)) as client:
        server.health()  # the head is parked by now
        client.send(b"\r\n" + body[:5])
        server.health()
        client.send(body[5:])
        assert client.answer()[1]["response"] == "You said: at last"


@pytest.mark.slow
def test_a_large_request_is_read_while_it_comes(server):
    prompt = "large " * 20_000
    with Connection(server) as client:
        client.post("/chat", prompt=prompt)
        status, answer = client.answer()
    assert status == 400
    assert "prompt" in answer["error"]


@pytest.mark.slow
def test_a_client_that_asks_on_without_reading_is_parted_from(server):
    asked = b"GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with Connection(server) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(asked * 3000)  # answers of more than a megabyte
        poller = select.poll()
        poller.register(client.socket, select.POLLHUP)
        wait_until(lambda: poller.poll(0), "the end of the connection")
    assert server.health()["status"] == "healthy"


@pytest.mark.slow
def test_a_flood_of_connections_does_not_use_up_the_files(tmp_path):
    """A process that may open no more files dies in the loop that accepts connections."""
    script = script_for_fake_card(tmp_path)
    command = [
        "sh", "-c", f"ulimit -n 220; exec {sys.executable} {script} --port 0"
    ]  # fmt: skip
    with running(command, tmp_path, FAKE_CARD="{}") as server:
        server.wait_ready()
        workers = server.workers
        flood = [Connection(server, b"G") for _ in range(400)]
        wait_until(lambda: server.health()["status"] == "healthy", "an answer")
        assert server.workers == workers
        assert server.chat("hello").json()["response"] == "You said: hello"
        for client in flood:
            client.reset()


class Accepted:
    """What gunicorn knows of a connection."""

    parser = None

    def __init__(self, sock):
        self.sock = sock
        self.close = sock.close


class Loop:
    """gunicorn's worker without its process: the loop's methods and real connections."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(worker.ThreadWorker, "__init__", _bare_worker)
        monkeypatch.setattr(worker.ThreadWorker, "enqueue_req", _note_ready)
        monkeypatch.setattr(worker.ThreadWorker, "murder_keepalived", lambda self: None)
        self.worker = worker.Worker()
        self.sockets = []

    def connect(self, sent):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            ours, _ = listener.accept()
        self.sockets.append(client)
        client.settimeout(5)
        client.sendall(sent)
        self.sockets.append(ours)
        conn = Accepted(ours)
        self.worker.nr_conns += 1
        self.worker.enqueue_req(conn)
        return client, conn

    def turn(self):
        for key, _ in self.worker.poller.select(0.05):
            key.data(key.fileobj)
        self.worker.murder_keepalived()


def _bare_worker(self):
    self.alive = True
    self.cfg = SimpleNamespace(threads=10)
    self.worker_connections = 100
    self.keepalived_conns = []
    self.nr_conns = 0
    self.poller = selectors.DefaultSelector()
    self.ready = []


def _note_ready(self, conn):
    self.ready.append(conn)


@pytest.fixture
def loop(monkeypatch):
    made = Loop(monkeypatch)
    yield made
    made.worker.poller.close()
    for one in made.sockets:
        one.close()


def test_a_request_that_takes_too_long_is_told_so(loop, monkeypatch):
    client, conn = loop.connect(SLOW["bodies"])
    loop.turn()
    assert loop.worker.ready == []
    now = time.monotonic()
    monkeypatch.setattr(worker.time, "monotonic", lambda: now + worker.ARRIVAL_SECONDS + 1)
    loop.turn()
    answer = client.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'{"error": "The request did not arrive within 30 s."}' in answer
    assert client.recv(10) == b""
    assert loop.worker.nr_conns == 0
    assert conn.sock.fileno() == -1


def test_more_bytes_do_not_give_more_time(loop, monkeypatch):
    client, conn = loop.connect(b"G")
    (until, _) = loop.worker._parked[conn]
    now = time.monotonic()
    monkeypatch.setattr(worker.time, "monotonic", lambda: now + 10)
    client.sendall(b"ET")
    loop.turn()
    assert loop.worker._parked[conn] == (until, 3)


def test_a_client_that_ends_in_the_middle_goes_to_a_thread_at_once(loop):
    client, conn = loop.connect(b"GET / HT")
    client.shutdown(socket.SHUT_WR)
    loop.turn()
    assert loop.worker.ready == [conn]


def test_only_some_large_requests_have_a_thread_at_once(loop):
    conns = [loop.connect(SLOW["asked"])[1] for _ in range(worker.LARGE_AT_ONCE + 2)]
    assert loop.worker.ready == conns[: worker.LARGE_AT_ONCE]
    loop.turn()
    assert len(loop.worker.ready) == worker.LARGE_AT_ONCE
    loop.worker._large.remove(conns[0])  # as at the end of its thread
    loop.turn()
    assert loop.worker.ready == conns[: worker.LARGE_AT_ONCE + 1]


def test_whoever_waits_longest_makes_room_when_the_server_is_full(loop):
    loop.worker.worker_connections = 3
    conns = [loop.connect(b"G")[1] for _ in range(4)]
    loop.sockets[0].send(b"E")  # who sends a byte now and then does not look younger
    loop.turn()
    assert list(loop.worker._parked) == conns[2:]
    assert loop.worker.nr_conns == 2


def test_then_idle_connections_make_room(loop):
    loop.worker.worker_connections = 3
    loop.worker.nr_conns = 4
    idle = [SimpleNamespace(timeout=time.monotonic() + 5) for _ in range(4)]
    loop.worker.keepalived_conns = idle
    loop.turn()
    assert [conn.timeout == 0.0 for conn in idle] == [True, True, False, False]


def test_nobody_is_waited_for_when_the_server_stops(loop):
    loop.connect(b"G")
    loop.worker.alive = False
    loop.turn()
    assert loop.worker.nr_conns == 0


def test_a_thread_stops_reading_at_the_time_limit(monkeypatch):
    client, ours = socket.socketpair()
    with client, ours:
        reader = worker._TimedReader(ours)
        client.sendall(b"ab")
        assert reader.recv(1) == b"a"
        now = time.monotonic()
        monkeypatch.setattr(worker.time, "monotonic", lambda: now + worker.ARRIVAL_SECONDS + 1)
        assert reader.recv(1) == b""
