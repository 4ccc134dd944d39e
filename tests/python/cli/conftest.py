"""A fake server, the chat against it, and an environment without what a developer may have set."""

import builtins
import os
import sys
import threading
from pathlib import Path

import pytest

import processes
from cli.fake_server import Answer, FakeServer, completion
from ttdirect.cli import readiness
from ttdirect.cli.main import main
from ttdirect.device import clone
from ttdirect.hardware import sysfs
from ttdirect.script import device


@pytest.fixture(autouse=True)
def plain_environment(tmp_path, monkeypatch):
    """A home of its own, no card, and none of the variables that the commands read."""
    monkeypatch.setattr(device, "DEVICE_FOLDER", Path("/dev/no-card"))
    nothing = tmp_path / "no-card"
    monkeypatch.setattr(sysfs, "THIS_COMPUTER", sysfs.Roots(nothing, nothing, nothing))
    names = ("HF_MODEL", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME", "NO_COLOR")
    others = ("OPENAI_API_KEY", "XDG_STATE_HOME", "TT_METAL_HOME", "MESH_DEVICE")
    for name in (*names, *others, *(name for name in os.environ if name.startswith("TTDIRECT_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(clone, "USUAL_FOLDERS", ("~/tt-metal",))
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def server():
    """A running fake server."""
    with FakeServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def terminal(monkeypatch):
    """Make stdout and stderr say that they are terminals."""

    def pretend(*streams):
        for stream in streams:
            monkeypatch.setattr(stream, "isatty", lambda: True)

    return pretend


@pytest.fixture
def free_port():
    """A port that was free a moment ago."""
    return processes.free_port()


@pytest.fixture
def quick(monkeypatch):
    """Waits cost no time, and are written down."""
    waits = []
    monkeypatch.setattr(readiness.time, "sleep", waits.append)
    return waits


@pytest.fixture
def typed(monkeypatch):
    """Let a user at a terminal type these lines; exceptions are the keys that raise them."""

    def type_in(*lines):
        rest = list(lines)

        def answer(prompt=""):
            line = rest.pop(0) if rest else EOFError()
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr(builtins, "input", answer)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    return type_in


@pytest.fixture
def chat(server, capsys):
    """Run the command against the fake server; returns exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["chat", "--url", server.url, *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def other(server, capsys):
    """Run the chat against a server that is none of ours; returns exit code, stdout and stderr."""
    server.healths, server.models = [], ["m"]
    server.answers = [Answer(completion("Hel", "lo", prompt_tokens=9, completion_tokens=3))]

    def run(*arguments):
        code = main(["chat", "--url", f"{server.url}/v1", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run
