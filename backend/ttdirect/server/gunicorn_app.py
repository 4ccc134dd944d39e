"""gunicorn, both ways: started by the script, or starting the script."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter

from ttdirect.engine import Engine

from .lifecycle import DRAIN_SECONDS, EXIT_DO_NOT_RETRY, start_in_worker
from .protection import KEY_VARIABLE, OPEN_VARIABLE, may_listen_on
from .terminal import set_up_log, tell_failure

SPARE_THREADS = 8
"""Threads beside those that wait for answers: for /health, refusals and slow senders."""

WORKER_CLASS = "gthread"


def serve(app: Flask, engine: Engine, host: str, port: int, *, allow_open: bool = False) -> None:
    """Serve the app on one address until Ctrl+C or SIGTERM, then exit.

    One gunicorn worker with as many threads as requests can run and wait. The socket is bound
    first, the model is loaded behind it; gunicorn starts a new worker if this one dies.

    Args:
        app: the Flask app.
        engine: not started yet; it starts in the worker.
        host: address to listen on.
        port: TCP port.
        allow_open: listen beyond loopback without an API key.

    Raises:
        SystemExit: 0 after an orderly stop, 1 when the server could not start.
    """
    if allow_open:
        os.environ[OPEN_VARIABLE] = "1"
    if not may_listen_on(host):
        _refuse_open(host, exit_code=1)
    listener = _bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    try:
        _Server(app, engine, listener, address).run()
    except SystemExit as end:
        # gunicorn's codes for a worker that cannot start mean nothing to a shell.
        sys.exit(1 if end.code in (EXIT_DO_NOT_RETRY, 4) else end.code)


def start_in_gunicorn(engine: Engine) -> None:
    """Start the engine if gunicorn imports this script; do nothing otherwise.

    Called at import by `gunicorn -w 1 ... tt-api-server-direct:app`.

    Raises:
        SystemExit: gunicorn was told to do what one model cannot: several workers, preloading,
            another kind of worker, or an open address without a key.
    """
    if not os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return
    set_up_log()
    # gunicorn does not hand its settings to the app, so its own parser reads them again.
    settings: Any = WSGIApplication().cfg
    if settings.workers > 1:
        _stop_gunicorn(
            f"gunicorn was told to start {settings.workers} workers, and each would load the "
            "model again; one device serves one model.",
            "use one worker: gunicorn -w 1 ... (it answers many requests at once)",
        )
    if settings.preload_app:
        _stop_gunicorn(
            "gunicorn was told to preload the app, so the model's thread would not reach the "
            "worker.",
            "start gunicorn without --preload",
        )
    threads = engine.max_batch_size + engine.max_queued + SPARE_THREADS
    if settings.worker_class_str not in ("sync", WORKER_CLASS):
        _stop_gunicorn(
            f"gunicorn's {settings.worker_class_str} workers do not fit: a step of the model "
            "would hold up every request.",
            f"use threads: gunicorn -w 1 --threads {threads} ...",
        )
    addresses: list[tuple[str, int] | str] = settings.address
    for bind in addresses:
        host = bind[0] if isinstance(bind, tuple) else "localhost"  # a unix socket is local
        if not may_listen_on(host):
            _refuse_open(host, exit_code=EXIT_DO_NOT_RETRY)
    if settings.threads < threads:
        print(
            f"note:  gunicorn runs {settings.threads} requests at a time; with "
            f"--threads {threads} all that fit into the batch and the queue are served together",
            file=sys.stderr,
        )
    bind = addresses[0]
    address = f"http://{bind[0]}:{bind[1]}" if isinstance(bind, tuple) else bind
    drain_seconds = min(DRAIN_SECONDS, max(settings.graceful_timeout - 5.0, 1.0))
    start_in_worker(engine, address, drain_seconds)


class _Server(BaseApplication):
    """gunicorn with settings of ours instead of a command line."""

    def __init__(self, app: Flask, engine: Engine, listener: socket.socket, address: str) -> None:
        self._app = app
        self._engine = engine
        self._listener = listener
        self._address = address
        super().__init__()

    def load_config(self) -> None:
        threads = self._engine.max_batch_size + self._engine.max_queued + SPARE_THREADS
        settings = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": 1,
            "worker_class": WORKER_CLASS,
            "threads": threads,
            "timeout": 120,
            "graceful_timeout": int(DRAIN_SECONDS) + 10,
            "keepalive": 5,
            "loglevel": "critical",  # our own log says what users need to know
            "proc_name": "ttdirect",
            "control_socket_disable": True,
        }
        for name, value in settings.items():
            if name in self.cfg.settings:  # older gunicorn has no control socket
                self.cfg.set(name, value)

    def load(self) -> Any:  # gunicorn's stubs do not know Flask
        """Called in the worker, after the fork."""
        # Ctrl+C reaches every process of the terminal; the master turns it into SIGTERM.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        start_in_worker(self._engine, self._address)
        return self._app

    def run(self) -> None:
        _Master(self).run()


class _Master(Arbiter):
    """gunicorn's master process, to which Ctrl+C means the same as SIGTERM."""

    def handle_int(self) -> None:
        self.handle_term()


def _bind(host: str, port: int) -> socket.socket:
    """Open the listening socket, or say why not and exit."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        taken = f"Port {port} on {host} is taken by another program."
        what = (
            taken
            if error.errno == errno.EADDRINUSE
            else f"Cannot listen on {host}:{port}: {error.strerror}."
        )
        tell_failure(what, f"choose another port, for example --port {port % 65535 + 1}")
        sys.exit(1)


def _refuse_open(host: str, exit_code: int) -> None:
    tell_failure(
        f"Listening on {host} would let other machines use the model without a key.",
        f"set {KEY_VARIABLE} to a secret, or allow it: --no-api-key (with gunicorn: "
        f"{OPEN_VARIABLE}=1)",
    )
    sys.exit(exit_code)


def _stop_gunicorn(what: str, fix: str) -> None:
    tell_failure(what, fix)
    sys.exit(EXIT_DO_NOT_RETRY)
