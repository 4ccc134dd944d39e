"""From a process to a server and back: start in a worker, drain on SIGTERM, end on failure."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from ttdirect.device import is_lost, open_card
from ttdirect.engine import Engine, State
from ttdirect.server.note import note
from ttdirect.server.terminal import (
    EXIT_DO_NOT_RETRY,
    Failure,
    explain,
    set_up_log,
    tell_failure,
)
from ttdirect.server.watchdog import watch_steps

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

log = logging.getLogger("ttdirect.server")

DRAIN_SECONDS = 25.0
"""Time for running answers after SIGTERM; gunicorn's own patience is 30 s by default."""

EXIT_TRY_AGAIN = 1
LAST_WORDS_SECONDS = 2.0

CLOSING_SECONDS = 10.0
"""Time to close the device after the last step; one that was lost may never answer."""

LOADING_SECONDS = 3.0
"""Time to end the phase of loading during which SIGTERM comes; nobody waits for an answer."""

CARD_LOADING_SECONDS = 600.0
"""The same with a card open: a process that ends before it has closed one leaves it in a state
that may take a reset, and one phase of loading takes minutes."""


def start_in_worker(
    engine: Engine,
    address: str,
    drain_seconds: float = DRAIN_SECONDS,
    on_ready: Callable[[], None] = lambda: None,
    *,
    card_loading_seconds: float = CARD_LOADING_SECONDS,
) -> None:
    """Start the engine in the process that serves the requests.

    SIGTERM then drains: running answers are finished within `drain_seconds`, `/health` says
    "draining" meanwhile, the device is closed, and only then the server's own SIGTERM handler
    gets its turn.

    Args:
        engine: not started yet.
        address: where the server listens, as `http://...`.
        drain_seconds: time for running answers.
        on_ready: called when the model is loaded.
        card_loading_seconds: time for the phase of loading that is going on, with a card open.
    """
    set_up_log()

    def ready() -> None:
        on_ready()
        model = engine.model
        if model is not None:
            log.info("%s answers, on %s", model.name, model.device)
        log.info("Server ready on %s", address)

    engine.on_ready = ready
    engine.on_failed = lambda error: _end_after_failure(engine, error)
    _drain_on_sigterm(engine, drain_seconds, card_loading_seconds)
    engine.start()
    watch_steps(engine)


def _drain_on_sigterm(engine: Engine, drain_seconds: float, card_loading_seconds: float) -> None:
    """Drain at the first SIGTERM, and hand the next one, our own, to the server."""
    servers_own = signal.getsignal(signal.SIGTERM)
    draining = threading.Event()
    drained = threading.Event()

    def on_sigterm(_signal: int, frame: FrameType | None) -> None:
        if drained.is_set():
            signal.signal(signal.SIGTERM, servers_own)
            if callable(servers_own):
                servers_own(signal.SIGTERM, frame)
            else:
                os.kill(os.getpid(), signal.SIGTERM)
        elif not draining.is_set():
            draining.set()
            # A signal handler must not wait, and the locks it needs may be held right here.
            threading.Thread(target=drain, name="drain", daemon=True).start()

    def drain() -> None:
        seconds = drain_seconds
        if engine.state is State.LOADING and open_card:
            seconds = card_loading_seconds
            log.info(
                "Stopping before the model is loaded: the device is closed as soon as this part "
                "of loading is done, or given up after %d s. A second Ctrl+C ends at once; then "
                "the board may need `tt-smi -r`",
                seconds,
            )
        elif engine.state is State.LOADING:
            seconds = min(LOADING_SECONDS, drain_seconds)
            log.info("Stopping before the model is loaded")
        else:
            log.info("Stopping: %d answers are being finished", engine.health().running)
        engine.drain(seconds)
        # The device is closed at the end of the engine's thread. A step that hangs, or a model
        # that is still being read, must not keep the process alive.
        if not engine.join(seconds + (CLOSING_SECONDS if open_card else LAST_WORDS_SECONDS)):
            log.warning("The engine did not stop in time")
            if open_card:
                log.warning("The device is still open: `tt-smi -r` resets it for the next start")
        log.info("Stopped")
        note.close()
        drained.set()
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_sigterm)


def _end_after_failure(engine: Engine, error: BaseException) -> None:
    """End the process: for good if another one would fail as well, else for a fresh start.

    gunicorn's master replaces a worker whose model raised again and again. A device that was lost
    is no case for it: before a new process can use it, the board may have to be reset. So the whole
    server ends with a code that is not 0, and whoever watches over it (systemd, an orchestrator, a
    person) starts it again. Called on the engine's thread, which then closes the device.
    """
    failure = None
    if engine.was_ready and not is_lost(error):
        log.error("The model failed while it computed: %s. The server starts again.", error)
    else:
        failure = explain(error)
    threading.Thread(target=_end, args=(engine, failure), name="end", daemon=True).start()


def _end(engine: Engine, failure: Failure | None) -> None:
    """End the process when waiting clients have their answer and the device is closed.

    The two lines come last: closing a device writes to the terminal, too.
    """
    if engine.was_ready:
        threading.Event().wait(LAST_WORDS_SECONDS)
    if not engine.join(CLOSING_SECONDS):
        log.warning("The device could not be closed in time.")
    code = EXIT_TRY_AGAIN
    if failure is not None:
        tell_failure(failure)
        code = EXIT_DO_NOT_RETRY
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whatever is left to say, this has to end
            stream.flush()
    os._exit(code)
