"""The user's script, in this process and in processes of its own, on the fake card."""

import contextlib
import json
import os
import threading
from pathlib import Path

import pytest

import fake_card
from fake_generator import Gate
from processes import ServerProcess, fake_server, load_script
from ttdirect.engine import State
from waiting import wait_until


@pytest.fixture(autouse=True, scope="module")
def _own_environment():
    """The script sets HF_MODEL; a developer may have set keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_MODEL", "fake-1b")
        for name in [name for name in os.environ if name.startswith("TTDIRECT_")]:
            patch.delenv(name)
        patch.delenv("SERVER_SOFTWARE", raising=False)
        yield


class Lesson:
    """The user's script, loaded into this process: `ask` it without a socket."""

    def __init__(self, script):
        self.script = script
        self.app = script.app
        self.engine = script.engine

    @property
    def client(self):
        return self.app.test_client()

    @property
    def gate(self) -> Gate:
        return fake_card.generators[-1].gate

    def chat(self, prompt="hello", **fields):
        return self.client.post("/chat", json={"prompt": prompt, **fields})

    def stream(self, prompt="hello", **fields):
        return self.client.post("/chat/stream", json={"prompt": prompt, **fields})

    def health(self):
        return self.client.get("/health")

    def in_background(self, *calls):
        """Make the calls at the same time; a function that waits for their results."""
        results = [None] * len(calls)

        def call(number):
            results[number] = calls[number]()

        threads = [threading.Thread(target=call, args=(n,)) for n in range(len(calls))]
        for thread in threads:
            thread.start()

        def wait():
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), "a request was never answered"
            return results

        return wait


@contextlib.contextmanager
def lesson_in(folder: Path, card=None, *, start=True, **changes):
    """The script, loaded and stopped again; ready unless `start` is false."""
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_CARD", json.dumps(card or {}))
        lesson = Lesson(load_script(folder, **changes))
        if start:
            lesson.engine.start()
            wait_until(lambda: lesson.engine.state is not State.LOADING, "the end of loading")
        try:
            yield lesson
        finally:
            lesson.engine.drain(0.0)
            for generator in fake_card.generators:
                generator.gate.open()
            assert lesson.engine.join(60), "the engine did not stop"
            fake_card.generators.clear()


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The script, ready; shared by the tests of a file."""
    with lesson_in(tmp_path_factory.mktemp("lesson")) as ready:
        yield ready


@pytest.fixture
def start_lesson(tmp_path):
    """A function that starts a script of the test's own: `start_lesson(card, SETTING=...)`."""
    with contextlib.ExitStack() as stack:

        def start(card=None, **options):
            return stack.enter_context(lesson_in(tmp_path, card, **options))

        yield start


class Hold:
    """A file that holds the steps of a server process while it exists."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self):
        self.path.touch()
        return self

    def __exit__(self, *_):
        self.release()

    def release(self):
        self.path.unlink(missing_ok=True)


class HeldServer(ServerProcess):
    """What the fixture `server` is: a process, and the file that holds its steps."""

    hold: Hold


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    hold = Hold(folder / "hold")
    with fake_server(folder, card={"hold_while": str(hold.path), "step_seconds": 0.01}) as process:
        process.hold = hold
        yield process.wait_ready()


@pytest.fixture
def server(shared_server):
    """A server process that all tests share; at the end of each it is idle again."""
    yield shared_server
    shared_server.hold.release()
    shared_server.wait_health(status="healthy", running=0, queued=0)
