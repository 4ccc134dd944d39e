"""The OpenAI-compatible API in this process and in one of its own."""

import json
import sys
from contextlib import contextmanager

import pytest

from engine_on_fakes import stop_engine
from openai_on_fakes import make_api
from processes import TESTS, running
from ttdirect.engine import State
from waiting import wait_until


class Api:
    """The API without a socket: `chat("hello")` gives Flask's response."""

    def __init__(self, app, engine):
        self.app = app
        self.engine = engine

    @property
    def client(self):
        return self.app.test_client()

    def post(self, path, **body):
        return self.client.post(f"/v1/{path}", json=body)

    def chat(self, prompt="hello", **fields):
        return self.post(
            "chat/completions", messages=[{"role": "user", "content": prompt}], **fields
        )

    def complete(self, prompt="hello", **fields):
        return self.post("completions", prompt=prompt, **fields)


@contextmanager
def api_with(**options):
    app, engine = make_api(**options)
    engine.start()
    try:
        wait_until(lambda: engine.state is not State.LOADING, "the end of loading")
        yield Api(app, engine)
    finally:
        stop_engine(engine)


@pytest.fixture(scope="module")
def api():
    """The API on a ready engine; shared by the tests of a file."""
    with api_with() as ready:
        yield ready


@pytest.fixture
def start_api():
    """A context manager for an API of the test's own: `with start_api(gate=...) as api`."""
    return api_with


@pytest.fixture(scope="module")
def openai_server(tmp_path_factory):
    """A server process with the API; its steps wait while the file `hold` exists."""
    folder = tmp_path_factory.mktemp("openai")
    card = {"hold_while": str(folder / "hold"), "step_seconds": 0.005, "max_seq_len": 2048}
    command = [sys.executable, str(TESTS / "openai_on_fakes.py")]
    with running(command, folder, FAKE_CARD=json.dumps(card)) as process:
        process.hold = folder / "hold"
        yield process.wait_ready()


def chunks_of(response):
    """The chunks of a stream, checked to end in `[DONE]`."""
    assert response.status_code == 200, response.text
    assert response.mimetype == "text/event-stream"
    events = [
        block.removeprefix("data: ")
        for block in response.text.removesuffix("\n\n").split("\n\n")
        if not block.startswith(":")
    ]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


@pytest.fixture(name="chunks_of")
def _chunks_of():
    return chunks_of
