"""Servers under test, each a process of its own on a free port."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ttdirect.script.render import ScriptSettings, render

START_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """Where a server answers, and what it wants in a request beside OpenAI's usual fields."""

    url: str
    fields: dict = field(default_factory=dict)


@contextlib.contextmanager
def served(model: str, edit: Callable[[str], str] = str, **settings: str) -> Iterator[str]:
    """The user's script on a free port; yields its address.

    `edit` may change the script's text first; `settings` go into its environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "tt-api-server-direct.py"
        script.write_text(edit(render(ScriptSettings(device="cpu", model=model))))
        server = subprocess.Popen(
            [sys.executable, str(script), "--port", "0"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"HF_MODEL": model} | settings,
        )
        try:
            for line in server.stderr:
                if "Server ready on " in line:
                    break
            else:
                raise SystemExit("the server did not start")
            threading.Thread(target=server.stderr.read, daemon=True).start()
            yield line.split("Server ready on ")[1].strip()
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


@contextlib.contextmanager
def llama_server(binary: Path, model: Path, slots: int, slot_tokens: int) -> Iterator[Server]:
    """llama.cpp's server, as it comes, with so many slots of so many tokens.

    Its cache of past prompts in memory is off: no prompt comes twice, so it would only cost time.
    """
    port = free_port()
    sizes = ["--parallel", str(slots), "--ctx-size", str(slots * slot_tokens), "--cache-ram", "0"]
    threads = ["--threads", str(os.cpu_count())]
    command = [str(binary), "--model", str(model), "--port", str(port), *sizes, *threads]
    with _running(command, f"http://127.0.0.1:{port}", "/health") as url:
        yield Server(url, {"ignore_eos": True, "stream_options": {"include_usage": True}})


@contextlib.contextmanager
def transformers_server(program: Path, checkpoint: Path, dtype: str) -> Iterator[Server]:
    """`transformers serve` with continuous batching, computing in `dtype`."""
    port = free_port()
    command = [str(program), "serve", str(checkpoint), "--continuous-batching", "--dtype", dtype]
    with _running([*command, "--port", str(port)], f"http://localhost:{port}", "/health") as url:
        yield Server(url)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextlib.contextmanager
def _running(command: list[str], url: str, ready: str) -> Iterator[str]:
    """A server of others; yields its address when the route `ready` answers 200."""
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + START_SECONDS
            while not _answers(url, ready):
                if server.poll() is not None or time.monotonic() > until:
                    log.seek(0)
                    raise SystemExit(f"{command[0]} did not start:\n{log.read()[-2000:]}")
                time.sleep(0.1)
            yield url
        finally:
            server.kill()  # in the middle of a step it would not listen to anything else
            server.wait()


def _answers(url: str, path: str) -> bool:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
