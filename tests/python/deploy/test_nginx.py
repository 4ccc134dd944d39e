"""Real nginx with the generated site, in front of real gunicorn with the generated settings."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from deploy.served import CLIENT, Deployment, Nginx, two_free_ports
from processes import free_port

pytestmark = pytest.mark.slow

CARD = json.dumps({"step_seconds": 0.01})
AUTHORIZATION = f"Authorization: Bearer {CLIENT}\r\n"

SLOW_CLIENTS = 150
"""More than the server has threads."""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory, certificate):
    """The files for two instances."""
    options = ("--port", str(two_free_ports()), "--instances", "2")
    options += ("--certificate", str(certificate))
    return Deployment(tmp_path_factory.mktemp("site"), "systemd", "nginx", options=options)


@pytest.fixture(scope="module")
def server(deployment):
    """The first instance, as systemd would start it; the second one does not run."""
    with deployment.instance(deployment.ports[0], CARD) as server:
        yield server.wait_ready()


@pytest.fixture
def nginx(deployment, server, tmp_path, certificate):
    """nginx that has counted no request yet."""
    with Nginx(deployment, tmp_path / "nginx", certificate).running() as nginx:
        yield nginx


def cancelled(server):
    """How many requests ended because their client left."""
    text = requests.get(f"{server.url}/metrics", headers=server.headers, timeout=30).text
    lines = [line for line in text.splitlines() if 'finished_reason="cancelled"' in line]
    return float(lines[0].split()[-1])


def wait_cancelled(server, before):
    until = time.monotonic() + 30
    while cancelled(server) == before:
        assert time.monotonic() < until, "the engine was not told that the client left"
        time.sleep(0.02)


def test_answers_come_over_tls_to_those_with_a_key(nginx, server):
    answer = nginx.client().post(f"{nginx.url}/chat", json={"prompt": "hello"})
    assert answer.json()["response"] == "You said: hello"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    stranger = nginx.client(key="").post(f"{nginx.url}/chat", json={"prompt": "hello"})
    assert stranger.status_code == 401
    # The figures are for Prometheus, which asks the instances themselves.
    assert nginx.client().get(f"{nginx.url}/metrics").status_code == 404
    plain = requests.post(
        f"http://127.0.0.1:{nginx.plain_port}/chat", allow_redirects=False, timeout=30
    )
    assert (plain.status_code, plain.headers["Location"]) == (308, "https://127.0.0.1/chat")


def test_the_servers_own_sentence_about_a_large_request_arrives(nginx):
    answer = nginx.client().post(f"{nginx.url}/chat", json={"prompt": "x" * 1_100_000})
    assert answer.status_code == 413
    assert "1024 KiB" in answer.json()["error"] or "MiB" in answer.json()["error"]


def test_a_stream_is_not_held_back_and_its_client_may_leave(nginx, server):
    before = cancelled(server)
    body = {"prompt": "repeat 1900 a", "max_tokens": 1900}  # 19 s
    with nginx.client().post(f"{nginx.url}/chat/stream", json=body, stream=True) as stream:
        lines = stream.iter_lines()
        while not next(lines).startswith(b'data: {"text"'):
            pass
        # The first text is here while the answer is still being made.
        assert server.health()["running"] == 1
    wait_cancelled(server, before)
    server.wait_health(running=0)


def test_a_client_that_leaves_without_a_stream_frees_its_slot_too(nginx, server):
    before = cancelled(server)
    body = json.dumps({"prompt": "repeat 1900 a", "max_tokens": 1900})
    with nginx.connect() as client:
        client.sendall(
            f"POST /chat HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        server.wait_health(running=1)
    wait_cancelled(server, before)
    server.wait_health(running=0)


def test_connections_to_the_server_are_used_again(nginx, server):
    """Each new one would cost a thread of the server a moment; nginx keeps them open."""

    def connections():
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return {row[1] for row in rows if row[2].endswith(f":{server.port:04X}") and row[3] == "01"}

    client = nginx.client()
    client.get(f"{nginx.url}/v1/models")
    (used,) = connections()
    for _ in range(5):
        client.get(f"{nginx.url}/v1/models")
    assert connections() == {used}


def test_slow_clients_hold_no_thread(nginx, server):
    head = f"POST /chat HTTP/1.1\r\nHost: x\r\n{AUTHORIZATION}"
    begun = (head, f"{head}Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{{")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(nginx.connect()) for _ in range(SLOW_CLIENTS)]
        for number, client in enumerate(clients):
            client.sendall(begun[number % 2].encode())
        # Somebody with another address, whom the limits for the slow ones' do not concern.
        other = nginx.client("127.0.0.9")
        for _ in range(3):
            for client in clients:
                client.sendall(b" " if client in clients[1::2] else b"X-More: 1\r\n")
            answer = other.post(f"{nginx.url}/chat", json={"prompt": "hello"})
            assert answer.json()["response"] == "You said: hello"
            assert other.get(f"{nginx.url}/health").json()["status"] == "healthy"
        assert server.health()["running"] == 0


def test_who_asks_too_often_is_told_so_and_probes_are_answered(nginx):
    client = nginx.client()
    for _ in range(3000):
        answer = client.get(f"{nginx.url}/v1/models")
        if answer.status_code != 200:
            break
    assert answer.status_code == 429
    assert answer.json() == {
        "error": "There are too many requests from your address; try again in a second."
    }
    assert answer.headers["Retry-After"] == "1"
    assert client.get(f"{nginx.url}/health").status_code == 200
    assert nginx.client("127.0.0.9").get(f"{nginx.url}/v1/models").status_code == 200


def test_without_a_server_nginx_says_so_as_the_server_would(tmp_path, certificate):
    options = ("--port", str(free_port()), "--certificate", str(certificate))
    deployment = Deployment(tmp_path, "nginx", options=options)
    with Nginx(deployment, tmp_path / "nginx", certificate).running() as nginx:
        answer = nginx.client().get(f"{nginx.url}/health")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json() == {"error": "No server answers right now; try again in a few seconds."}


def test_an_instance_that_stops_finishes_its_answers_while_another_takes_the_new_ones(
    deployment, server, tmp_path, certificate
):
    with (
        deployment.instance(deployment.ports[1], CARD) as stopping,
        Nginx(deployment, tmp_path / "nginx", certificate).running() as nginx,
        ThreadPoolExecutor(1) as pool,
    ):
        stopping.wait_ready()
        # Asked directly, so that it is this instance that answers.
        answer = pool.submit(stopping.chat, "repeat 300 b", max_tokens=300)
        stopping.wait_health(running=1)
        stopping.terminate()
        stopping.wait_health(status="draining")
        refused = stopping.chat("hello")
        assert refused.status_code == 503
        assert "Retry-After" in refused.headers
        # Through nginx somebody else answers.
        through = nginx.client().post(f"{nginx.url}/chat", json={"prompt": "hello"})
        assert through.json()["response"] == "You said: hello"
        assert answer.result().json()["response"] == "b" * 300
        assert stopping.wait_exit() == 0
