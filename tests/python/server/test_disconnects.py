"""Clients that leave, stall or hurry: their slots come back, and nobody else notices."""

import json
import socket
import time

import pytest

from processes import Connection
from ttdirect.server import worker
from waiting import wait_until

pytestmark = pytest.mark.slow

LONG = {"prompt": "repeat 1900 a", "max_tokens": 1900}  # 19 s, at 10 ms a token
TRIES = 3


@pytest.mark.parametrize("route", ["/chat", "/chat/stream"])
@pytest.mark.parametrize("leave", [Connection.hang_up, Connection.reset])
def test_a_client_that_leaves_frees_its_slot_within_a_second(server, route, leave):
    def seconds_until_free():
        client = Connection(server)
        client.post(route, **LONG)
        server.wait_health(running=1)
        begun = time.monotonic()
        leave(client)
        server.wait_health(running=0)
        return time.monotonic() - begun

    # On a busy machine one try may be late; not every one.
    assert any(seconds_until_free() < 1.0 for _ in range(TRIES))


def test_a_client_that_leaves_the_queue_is_forgotten(server):
    with Connection(server) as stays:
        stays.post("/chat", prompt="repeat 100 b", max_tokens=100)
        server.wait_health(running=1)
        leavers = [Connection(server) for _ in range(40)]
        for leaver in leavers:
            leaver.post("/chat", **LONG)
        wait_until(lambda: sum(map(server.health().get, ("running", "queued"))) == 41)
        assert server.health()["queued"] > 0  # the cache holds some of such answers, not all
        for leaver in leavers:
            leaver.hang_up()
        status, answer = stays.answer()
        assert (status, answer["response"]) == (200, "b" * 100)
        server.wait_health(running=0, queued=0)


def test_who_stays_gets_the_right_answer_while_others_leave(server):
    leavers = [Connection(server) for _ in range(4)]
    for leaver in leavers:
        leaver.post("/chat/stream", **LONG)
    with Connection(server) as stays:
        stays.post("/chat", prompt="hash and stay", max_tokens=60, seed=3, temperature=1.0)
        server.wait_health(running=5)
        for leaver in leavers:
            leaver.reset()
        status, answer = stays.answer()
    alone = server.chat("hash and stay", max_tokens=60, seed=3, temperature=1.0).json()
    assert (status, answer["response"]) == (200, alone["response"])


HEAD = b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /cha",
        HEAD[:-20],
        HEAD + b'Content-Length: 100\r\n\r\n{"prompt": "hi',
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"promp',
    ],
)
@pytest.mark.parametrize("leave", [Connection.hang_up, Connection.reset])
def test_half_a_request_and_away_does_no_harm(server, begun, leave):
    before = len(server.lines)
    for _ in range(20):
        leave(Connection(server, begun))
    assert server.chat("still there?").json()["response"] == "You said: still there?"
    assert "Traceback" not in "\n".join(server.lines[before:])
    assert "-> 500" not in "\n".join(server.lines[before:])


def test_half_a_body_and_a_half_closed_connection_gets_400(server):
    with Connection(server) as client:
        client.send(HEAD + b'Content-Length: 100\r\n\r\n{"prompt": "hi')
        client.socket.shutdown(socket.SHUT_WR)
        status, answer = client.answer()
    assert (status, answer) == (400, {"error": "The body is not as its headers announce it."})


def test_a_kept_connection_serves_many_requests(server):
    with Connection(server) as client:
        for number in range(5):
            client.post("/chat", prompt=f"n{number}")
            assert client.answer()[1]["response"] == f"You said: n{number}"
            client.post("/chat", prompt=5)
            assert client.answer()[0] == 400


def test_requests_sent_ahead_are_answered_in_turn(server):
    with Connection(server) as client:
        client.post("/chat", prompt="first")
        client.post("/chat", prompt="")
        client.post("/chat", prompt="third")
        assert client.answer()[1]["response"] == "You said: first"
        assert client.answer()[0] == 400
        assert client.answer()[1]["response"] == "You said: third"


def test_a_stream_waits_for_a_slow_reader_without_holding_its_slot(server):
    with Connection(server) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.post("/chat/stream", prompt="repeat 60 xy", max_tokens=120)
        server.wait_health(running=1)
        server.wait_health(running=0)
        assert server.chat("meanwhile").status_code == 200
        received = b""
        while b'"finish_reason"' not in received:
            received += slow.socket.recv(256)
            time.sleep(0.0005)
    last = [line for line in received.split(b"\n") if line.startswith(b'data: {"prompt"')][-1]
    assert json.loads(last.removeprefix(b"data: "))["response"] == "xy" * 60


def test_connections_that_say_nothing_keep_nobody_waiting(server):
    """gunicorn gives each a thread for 5 s, and there are 104 threads."""
    idle = [Connection(server) for _ in range(150)]
    begun = time.monotonic()
    assert server.health()["status"] == "healthy"
    assert time.monotonic() - begun < 2.0
    for connection in idle:
        connection.hang_up()


def test_clients_that_do_not_close_keep_nobody_waiting(server):
    """gunicorn waits up to 2 s for each, in the thread that accepts connections."""
    lazy = []
    for _ in range(6):
        lazy.append(Connection(server, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n"))
        assert lazy[-1].answer()[0] == 200
    begun = time.monotonic()
    assert server.health()["status"] == "healthy"
    assert time.monotonic() - begun < 1.5
    for connection in lazy:
        connection.hang_up()


def test_a_client_that_stalls_is_not_waited_for_forever(monkeypatch):
    monkeypatch.setattr(worker, "STALLED_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.limit_stalls(listener)
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"G")
            accepted, _ = listener.accept()
            with accepted:
                accepted.setblocking(True)  # as gunicorn does; it would lift Python's own limits
                assert accepted.recv(10) == b"G"
                with pytest.raises(BlockingIOError):
                    accepted.recv(10)
