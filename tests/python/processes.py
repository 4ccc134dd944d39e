"""Server processes for tests: the user's script, started as a user starts it, and its terminal."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests

from ttdirect.script.render import ScriptSettings, render

TESTS = Path(__file__).parent
PATIENCE_SECONDS = 60.0

FAKE_IMPORTS = """\
    import fake_card as ttnn
    from fake_card import DecodersPrecision, Generator, PagedAttentionConfig, create_tt_model
"""


def script_for_fake_card(folder: Path, **changes: str) -> Path:
    """The user's script with the fake card's imports; `changes` replaces settings by name."""
    text = render(ScriptSettings(device="cpu", model="fake-1b"))
    device_imports = r"(?ms)^    from ttdirect import generator as ttnn\n.*?(?=^    from flask )"
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
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

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
        return requests.post(f"{self.url}/chat", json={"prompt": prompt, **fields}, timeout=120)

    def health(self) -> dict[str, object]:
        return requests.get(f"{self.url}/health", timeout=10).json()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@contextlib.contextmanager
def running(command: list[str], folder: Path, **env: str):
    """A server process that is gone at the end, whatever happens."""
    server = ServerProcess(command, folder, environment(**env))
    try:
        yield server
    finally:
        server.kill_all()
        server.process.stdout.close()


@contextlib.contextmanager
def fake_server(folder: Path, card: dict | None = None, env: dict | None = None, **settings: str):
    """The script on the fake card, started with python on a free port, not waited for."""
    script = script_for_fake_card(folder, **settings)
    command = [sys.executable, str(script), "--port", "0"]
    with running(command, folder, FAKE_CARD=json.dumps(card or {}), **(env or {})) as server:
        yield server
