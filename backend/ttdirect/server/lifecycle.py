"""From a process to a server: start in a worker, end on failure (see `stopping` for all else)."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from typing import TYPE_CHECKING

from ttdirect.device import is_lost
from ttdirect.server.stopping import (
    CARD_LOADING_SECONDS,
    CLOSING_SECONDS,
    DRAIN_SECONDS,
    LAST_WORDS_SECONDS,
    stop_on_signals,
)
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

    from ttdirect.engine import Engine

log = logging.getLogger("ttdirect.server")

EXIT_TRY_AGAIN = 1


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
    stop_on_signals(engine, drain_seconds, card_loading_seconds)
    engine.start()
    watch_steps(engine)


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
