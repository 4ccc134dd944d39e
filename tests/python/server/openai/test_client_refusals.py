"""What goes wrong, as every Python client tells it: errors, timeouts, streams broken off."""

import json
import sys

import pytest
import requests

from openai_clients import CLIENTS
from processes import TESTS, running
from waiting import wait_until

pytestmark = pytest.mark.slow

HELLO = [{"role": "user", "content": "hello"}]
LONG = [{"role": "user", "content": "repeat 1900 a"}]
PER_MINUTE = 3


@pytest.fixture(params=CLIENTS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture
def client(kind, openai_server):
    return kind(openai_server.url)


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory):
    """A server with a key for each use, few requests a minute, one slot, and one place to wait."""
    folder = tmp_path_factory.mktemp("strict")
    keys = [f"{test}-{number}" for test in ("full", "often") for number in range(len(CLIENTS))]
    card = {"step_seconds": 0.005, "max_seq_len": 2048, "max_batch_size": 1, "max_queued": 1}
    env = {
        "FAKE_CARD": json.dumps(card),
        "TTDIRECT_API_KEY": ",".join(keys),
        "TTDIRECT_RATE_LIMIT": f"{PER_MINUTE}/minute",
    }
    command = [sys.executable, str(TESTS / "openai_on_fakes.py")]
    with running(command, folder, **env) as process:
        yield process.wait_ready()


@pytest.fixture
def number(request):
    """The client's place among the clients, for a key of its own."""
    return request.node.callspec.indices["kind"]


@pytest.mark.parametrize("way", ["ask", "stream"])
@pytest.mark.parametrize(
    ("messages", "fields", "status", "sentence"),
    [
        (HELLO, {"model": "gpt-9"}, 404, "There is no model 'gpt-9' here."),
        (HELLO, {"temperature": 3}, 400, "'temperature' must be a number from 0 to 2"),
        (HELLO, {"stop": [""]}, 400, "'stop' must be a string or a list"),
        ([{"role": "user", "content": "x" * 3000}], {}, 400, "The prompt has 3004 tokens"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
            {},
            400,
            "this model sees no pictures",
        ),
    ],
    ids=["model", "temperature", "stop", "length", "picture"],
)
def test_a_mistake_is_the_clients_own_exception(client, way, messages, fields, status, sentence):
    with pytest.raises(client.errors[status]) as refused:
        getattr(client, way)(messages, **fields)
    assert refused.value.response.status_code == status
    assert sentence in str(refused.value)


def test_a_wrong_key(kind, strict_server):
    client = kind(strict_server.url, key="wrong")
    with pytest.raises(client.errors[401]) as refused:
        client.ask(HELLO)
    assert "needs an API key" in str(refused.value)


def test_a_client_that_asks_too_often_learns_when_to_come_back(kind, number, strict_server):
    client = kind(strict_server.url, key=f"often-{number}")
    for _ in range(PER_MINUTE):
        assert client.ask(HELLO).text == "You said: hello"
    with pytest.raises(client.errors[429]) as refused:
        client.ask(HELLO)
    assert "3/minute" in str(refused.value)
    assert 1 <= client.retry_after(refused.value) <= 61  # rounded up


def test_a_full_queue_tells_when_to_come_back(kind, number, strict_server):
    client = kind(strict_server.url, key=f"full-{number}")
    # One of the two answers runs, the other waits.
    with requests.post(
        f"{strict_server.url}/v1/completions",
        json={"prompt": "repeat 1900 a", "max_tokens": 1900, "n": 2, "stream": True},
        headers={"Authorization": f"Bearer full-{number}"},
        stream=True,
        timeout=60,
    ) as holding:
        assert holding.status_code == 200
        with pytest.raises(client.errors[503]) as refused:
            client.ask(HELLO)
    assert client.retry_after(refused.value) >= 1
    strict_server.wait_health(running=0, queued=0)


def test_a_timeout_frees_the_slot(kind, openai_server):
    client = kind(openai_server.url, timeout=0.5)
    with pytest.raises(client.timeout_error):
        client.ask(LONG)
    openai_server.wait_health(running=0, queued=0)


def test_a_stream_that_is_broken_off_frees_its_slot(client, openai_server):
    pieces = client.pieces(LONG)
    next(pieces)
    wait_until(lambda: openai_server.health()["running"] == 1, "a running answer")
    pieces.close()
    openai_server.wait_health(running=0, queued=0)
