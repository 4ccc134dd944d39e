"""gunicorn, both ways: started by the script, or starting the script."""

from __future__ import annotations

import errno
import inspect
import logging
import mmap
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from ttdirect.device import open_card
from ttdirect.server import worker_end
from ttdirect.server.lifecycle import start_in_worker
from ttdirect.server.note import note
from ttdirect.server.protection import KEY_VARIABLE, OPEN_VARIABLE, may_listen_on
from ttdirect.server.stopping import CARD_LOADING_SECONDS, CLOSING_SECONDS, DRAIN_SECONDS
from ttdirect.server.terminal import EXIT_DO_NOT_RETRY, Failure, set_up_log, tell_failure
from ttdirect.server.worker import Worker, limit_stalls

if TYPE_CHECKING:
    from flask import Flask

    from ttdirect.engine import Engine

log = logging.getLogger("ttdirect.server")

SPARE_THREADS = 8
"""Threads beside those that wait for answers: for /health, refusals and slow senders."""

WORKER_CLASS = "gthread"

OWN_WORKER_CLASS = f"{Worker.__module__}.{Worker.__qualname__}"
"""What `ttdirect deploy` writes into gunicorn's configuration."""


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
        SystemExit: 0 after an orderly stop, 1 when the server could not start, 3 when a setting
            of the environment cannot be meant.
    """
    if allow_open:
        os.environ[OPEN_VARIABLE] = "1"
    note.open(os.getpid(), sys.argv[0], by="script")
    set_up_log()
    if not may_listen_on(host):
        _refuse_open(host, exit_code=1)
    listener = _bind(host, port)
    limit_stalls(listener)
    address = _url(host, listener.getsockname()[1])
    note.listening(address)
    try:
        _Server(app, engine, listener, address).run()
    except SystemExit as end:
        # gunicorn's codes for a worker that cannot start mean nothing to a shell.
        if end.code in (EXIT_DO_NOT_RETRY, 4):
            sys.exit(1)
        note.close()
        raise


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
    note.open(os.getppid(), inspect.stack()[1].filename, by="gunicorn")
    # gunicorn does not hand its settings to the app, so its own parser reads them again.
    settings: Any = WSGIApplication().cfg
    if settings.workers > 1:
        # One worker refuses, and gunicorn stops the others; it stumbles over two that refuse.
        time.sleep(0.5 * (os.getpid() % settings.workers))
        own_sigterm: Any = signal.getsignal(signal.SIGTERM)
        if not getattr(getattr(own_sigterm, "__self__", None), "alive", True):
            sys.exit(0)
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
    if settings.worker_class_str not in ("sync", WORKER_CLASS, OWN_WORKER_CLASS):
        _stop_gunicorn(
            f"gunicorn's {settings.worker_class_str} workers do not fit: a step of the model "
            "would hold up every request.",
            f"use threads: gunicorn -w 1 --threads {threads} ...",
        )
    addresses: list[tuple[str, int] | str | int] = settings.address
    for bind in addresses:
        host = _host_of(bind)
        if not may_listen_on(host):
            _refuse_open(host, exit_code=EXIT_DO_NOT_RETRY)
    if settings.threads < threads:
        print(
            f"note:  this gunicorn serves {settings.threads} at a time, /health included; with "
            f"--threads {threads} all that fit into the batch and the queue are served together",
            file=sys.stderr,
        )
    if "ttnn" in sys.modules and 0 < settings.timeout < worker_end.SILENCE_SECONDS:
        print(
            f"note:  this gunicorn ends a worker that gives no sign of life for {settings.timeout} "
            "s, and ttnn can hold one up for longer when it opens a device; with --timeout "
            f"{worker_end.SILENCE_SECONDS} it is given that time",
            file=sys.stderr,
        )
    bind = addresses[0]
    address = _url(*bind) if isinstance(bind, tuple) else str(bind)
    note.listening(address)
    patience = max(settings.graceful_timeout - 5.0, 1.0)
    start_in_worker(
        engine,
        address,
        min(DRAIN_SECONDS, patience),
        card_loading_seconds=min(CARD_LOADING_SECONDS, patience),
    )


class _Server(BaseApplication):
    """gunicorn with settings of ours instead of a command line."""

    def __init__(self, app: Flask, engine: Engine, listener: socket.socket, address: str) -> None:
        self._app = app
        self._engine = engine
        self._listener = listener
        self._address = address
        self._was_ready = mmap.mmap(-1, 1)  # written by the worker, read by the master
        super().__init__()

    def load_config(self) -> None:
        threads = self._engine.max_batch_size + self._engine.max_queued + SPARE_THREADS
        settings = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": 1,
            "worker_class": Worker,
            "threads": threads,
            "worker_connections": threads + 1000,  # more threads than these would stay idle
            "forwarder_headers": "",  # else SCRIPT_NAME from a client moves the routes
            "child_exit": self._give_up_if_useless,
            "timeout": worker_end.SILENCE_SECONDS,
            "graceful_timeout": int(DRAIN_SECONDS + CLOSING_SECONDS) + 5,
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
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._was_ready[0] = False
        start_in_worker(self._engine, self._address, on_ready=self._note_ready)
        return self._app

    def run(self) -> None:
        _Master(self).run()

    @property
    def was_ready(self) -> bool:
        """Whether the last worker has loaded the model."""
        return self._was_ready[0] != 0

    def _note_ready(self) -> None:
        self._was_ready[0] = True

    def _give_up_if_useless(self, master: _Master, worker: Any) -> None:
        """Stop when the next worker would die like this one."""
        if not master.LISTENERS:  # it is stopping anyway
            return
        status = master.ends.pop(worker.pid, None)
        had_card = bool(open_card)
        open_card.note(is_open=False)  # a process that is gone has none open
        failure = worker_end.why_not_again(
            status, was_ready=self.was_ready, had_card=had_card, timed_out=worker.aborted
        )
        if failure is not None:
            tell_failure(failure)
            raise HaltServer("the next worker would die, too", EXIT_DO_NOT_RETRY)
        if status is not None and status < 0:
            how = worker_end.in_words(status)
            log.warning("The model's process was ended (%s); another is started", how)


class _Master(Arbiter):
    """gunicorn's master process: Ctrl+C and a closed terminal mean the same as SIGTERM."""

    def __init__(self, app: _Server) -> None:
        self.ends: dict[int, int] = {}
        """How workers ended, by their process ids, until gunicorn has told of it."""
        self._server = app
        super().__init__(app)

    def reap_workers(self) -> None:
        """Look how workers ended first: gunicorn fetches that, and does not hand it on."""
        for pid in list(self.WORKERS):
            status = worker_end.status_of(pid)
            if status is not None:
                self.ends[pid] = status
        super().reap_workers()

    def stop(self, *args: Any, **kwargs: Any) -> None:
        """Wait for a worker that is loading a model: it may have to close a card.

        Even if none is open yet, as it may be about to open one. A worker without ends soon.
        """
        if not self._server.was_ready:
            self.cfg.set("graceful_timeout", int(CARD_LOADING_SECONDS + CLOSING_SECONDS) + 5)
        super().stop(*args, **kwargs)

    def handle_int(self) -> None:
        self.handle_term()

    def handle_hup(self) -> None:
        self.handle_term()

    def handle_ttin(self) -> None:
        """Not a second worker: it would load the model again."""

    def handle_usr2(self) -> None:
        """Not a second server either."""


def _bind(host: str, port: int) -> socket.socket:
    """Open the listening socket, or say why not and exit."""
    if not 0 <= port <= 65535:
        fix = "choose a port from 1 to 65535, for example --port 8080"
        tell_failure(Failure("no-such-port", f"There is no port {port}.", fix))
        sys.exit(1)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        code, what = "cannot-listen", f"Cannot listen on {host}:{port}: {error.strerror}."
        fix = "listen on an address of this machine, for example --host 127.0.0.1"
        if error.errno == errno.EADDRINUSE:
            code, what = "port-taken", f"Port {port} on {host} is taken by another program."
            fix = f"choose another port, for example --port {port % 65535 + 1}"
        elif error.errno == errno.EACCES:
            fix = "choose a port from 1024 on, for example --port 8080"
    except ValueError:  # a name that cannot be one, such as one with a label of 64 characters
        code, what = "cannot-listen", f"Cannot listen on {host!r}: that is no host name."
        fix = "listen on an address of this machine, for example --host 127.0.0.1"
    tell_failure(Failure(code, what, fix))
    sys.exit(1)


def _host_of(bind: tuple[str, int] | str | int) -> str:
    """The host of an address as gunicorn reads it: host and port, a unix socket, or a number."""
    if isinstance(bind, tuple):
        return bind[0]
    if isinstance(bind, str):
        return "localhost"  # a unix socket is local
    with socket.socket(fileno=os.dup(bind)) as inherited:
        name: Any = inherited.getsockname()
        return "localhost" if isinstance(name, (str, bytes)) else str(name[0])


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refuse_open(host: str, exit_code: int) -> None:
    what = f"Listening on {host} would let other machines use the model without a key."
    fix = (
        f"set {KEY_VARIABLE} to a secret, or allow it: --no-api-key (with gunicorn: "
        f"{OPEN_VARIABLE}=1)"
    )
    tell_failure(Failure("no-api-key", what, fix))
    sys.exit(exit_code)


def _stop_gunicorn(what: str, fix: str) -> None:
    tell_failure(Failure("gunicorn-settings", what, fix))
    sys.exit(EXIT_DO_NOT_RETRY)
