"""Server processes for tests: the user's script, started as a user starts it, and its terminal."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import requests

from ttdirect.script.render import ScriptSettings, render

TESTS = Path(__file__).parent
PATIENCE_SECONDS = 60.0

ONE_REQUEST = {"Connection": "close"}
"""For a stopping server to have nobody to wait for."""

FAKE_IMPORTS = """\
    import fake_card as ttnn
    from fake_card import DecodersPrecision, Generator, PagedAttentionConfig, create_tt_model
"""


def script_for_fake_card(folder: Path, **changes: str) -> Path:
    """The user's script with the fake card's imports; `changes` replaces settings by name."""
    text = render(ScriptSettings(device="cpu", model="fake-1b"))
    device_imports = r"(?ms)^    from ttdirect import generator as ttnn\n.*?(?=^$)"
    text, count = re.subn(device_imports, FAKE_IMPORTS, text)
    assert count == 1, "the script has another import block than this expects"
    for name, value in changes.items():
        text, count = re.subn(rf"(?m)^{name} = [^#\n]*", f"{name} = {value} ", text)
        assert count == 1, f"the script has no setting {name}"
    script = folder / "tt-api-server-direct.py"
    script.write_text(text)
    return script


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what a developer may have set for ttdirect."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TTDIRECT_") and name not in ("HF_MODEL", "GUNICORN_CMD_ARGS")
    }
    env["PYTHONPATH"] = str(TESTS)
    env["PYTHONUNBUFFERED"] = "1"
    return env | more


def load_script(folder: Path, **changes: str) -> ModuleType:
    """The script as a module of this process; its engine is not started."""
    script = script_for_fake_card(folder, **changes)
    module = ModuleType("tt_api_server_direct")
    exec(compile(script.read_text(), script, "exec"), module.__dict__)
    return module


class ServerProcess:
    """A running server; `url` is set once it says that it is ready."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.url = ""
        self.headers = dict(ONE_REQUEST)
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in children.split()]

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, pattern: str, after: int = 0) -> re.Match[str]:
        """The first line of the terminal, from number `after` on, that fits."""
        until = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while True:
                for line in self.lines[after:]:
                    if match := re.search(pattern, line):
                        return match
                left = until - time.monotonic()
                assert left > 0, f"no line fits {pattern!r}:\n{self.output}"
                assert self._reader.is_alive(), f"ended without {pattern!r}:\n{self.output}"
                self._changed.wait(min(left, 1.0))

    def wait_ready(self) -> "ServerProcess":
        self.url = self.wait_for_line(r"Server ready on (http://\S+)")[1]
        return self

    def wait_exit(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill_all(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def chat(self, prompt: str, **fields: object) -> requests.Response:
        body = {"prompt": prompt, **fields}
        return requests.post(f"{self.url}/chat", json=body, headers=self.headers, timeout=120)

    def health(self) -> dict[str, object]:
        return requests.get(f"{self.url}/health", headers=ONE_REQUEST, timeout=60).json()

    def is_gone(self) -> bool:
        """Whether no process of this server is left; its dead that nobody fetched do not count."""
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    return False
        return True

    def wait_health(self, **expected: object) -> dict[str, object]:
        """What /health says as soon as it says this."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            report = self.health()
            if {name: report[name] for name in expected} == expected:
                return report
            assert time.monotonic() < until, f"not {expected}: {report}"
            time.sleep(0.01)

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@contextlib.contextmanager
def running(command: list[str], folder: Path, **env: str):
    """A server process that is gone at the end, whatever happens.

    The folder is its home, too, so that no note of it is left in the developer's.
    """
    server = ServerProcess(command, folder, environment(**({"HOME": str(folder)} | env)))
    try:
        yield server
    finally:
        server.kill_all()
        server.process.stdout.close()


class _KeptOpen(io.BufferedReader):
    """A reader that HTTPResponse does not close at the end of an answer."""

    def close(self) -> None:
        pass


class Connection:
    """A client that decides on each byte it sends."""

    def __init__(self, server: ServerProcess, sent: bytes | str = b"") -> None:
        address = ("127.0.0.1", server.port)
        self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self._reader = _KeptOpen(socket.SocketIO(self.socket, "r"))
        self.send(sent)

    def __enter__(self) -> "Connection":  # noqa: PYI034 - Self is not in Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def post(self, path: str, **fields: object) -> None:
        body = json.dumps(fields)
        self.send(
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def answer(self) -> tuple[int, dict[str, object]]:
        """The status and the JSON of the next answer."""
        response = http.client.HTTPResponse(self)
        response.begin()
        return response.status, json.loads(response.read())

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What HTTPResponse reads from: one reader, so that no answer is lost in another's."""
        return self._reader

    def hang_up(self) -> None:
        """Close as an orderly client does."""
        self.socket.close()

    def reset(self) -> None:
        """Close as a client does that crashed."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def fake_server(
    folder: Path,
    card: dict | None = None,
    env: dict | None = None,
    port: int = 0,
    **settings: str,
):
    """The script on the fake card, started with python on a free port, not waited for."""
    script = script_for_fake_card(folder, **settings)
    command = [sys.executable, str(script), "--port", str(port)]
    with running(command, folder, FAKE_CARD=json.dumps(card or {}), **(env or {})) as server:
        yield server


@contextlib.contextmanager
def fake_gunicorn(
    folder: Path,
    *arguments: str,
    card: dict | None = None,
    env: dict | None = None,
    **settings: str,
):
    """The script on the fake card, started by gunicorn's own command, not waited for."""
    script_for_fake_card(folder, **settings)
    bind = ["-b", f"127.0.0.1:{free_port()}"] if "-b" not in arguments else []
    command = [sys.executable, "-m", "gunicorn", *bind, *arguments, "tt-api-server-direct:app"]
    with running(command, folder, FAKE_CARD=json.dumps(card or {}), **(env or {})) as server:
        yield server
