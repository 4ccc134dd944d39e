"""What ends a worker in order: SIGTERM, and in more of a hurry SIGQUIT or SIGINT.

SIGTERM finishes the running answers. SIGQUIT, which gunicorn's master sends at a second Ctrl+C, and
SIGINT, which the worker of gunicorn's own command gets at the first one, cut them off. Either way
the device is closed, and only then the server's own handler ends the process.

Only the engine's thread can close a device, at the end of the step or of the part of loading that
it is in: ttnn cannot be interrupted. So a second Ctrl+C during one that takes longer than gunicorn
waits then (2 s) leaves the device open.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

from ttdirect.device import open_card
from ttdirect.engine import Engine, State
from ttdirect.server.note import note

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

log = logging.getLogger("ttdirect.server")

DRAIN_SECONDS = 25.0
"""Time for running answers after SIGTERM; gunicorn's own patience is 30 s by default."""

CLOSING_SECONDS = 10.0
"""Time to close the device after the last step; one that was lost may never answer."""

LAST_WORDS_SECONDS = 2.0

LOADING_SECONDS = 3.0
"""Time to end the phase of loading during which SIGTERM comes; nobody waits for an answer."""

CARD_LOADING_SECONDS = 600.0
"""The same with a card open: a process that ends before it has closed one leaves it in a state
that may take a reset, and one phase of loading takes minutes."""

HURRY_SECONDS = 1.5
"""After so long in a hurry a device that is still open is told of, while it can be: gunicorn kills
the worker 2 s after a second Ctrl+C."""


def stop_on_signals(engine: Engine, drain_seconds: float, card_loading_seconds: float) -> None:
    """Have SIGTERM, SIGQUIT and SIGINT end the engine first; ignored ones stay ignored.

    Args:
        engine: to be ended.
        drain_seconds: time for running answers after SIGTERM.
        card_loading_seconds: time for the phase of loading that is going on, with a card open.
    """
    _before_the_server(signal.SIGTERM, lambda: _drain(engine, drain_seconds, card_loading_seconds))
    for in_a_hurry in (signal.SIGQUIT, signal.SIGINT):
        _before_the_server(in_a_hurry, lambda: _hurry(engine, card_loading_seconds))


def _before_the_server(number: signal.Signals, stop: Callable[[], None]) -> None:
    """At the first such signal call `stop` on a thread, then hand the signal to its old handler.

    Those that come meanwhile are of no account.
    """
    servers_own = signal.getsignal(number)
    if servers_own is signal.SIG_IGN:
        return
    has_begun, has_stopped = threading.Event(), threading.Event()

    def stop_and_hand_over() -> None:
        stop()
        note.close()
        has_stopped.set()
        os.kill(os.getpid(), number)

    def on_signal(_number: int, frame: FrameType | None) -> None:
        if has_stopped.is_set():
            signal.signal(number, servers_own)
            if callable(servers_own):
                servers_own(number, frame)
            else:
                os.kill(os.getpid(), number)
        elif not has_begun.is_set():
            has_begun.set()
            # A signal handler must not wait, and the locks it needs may be held right here.
            threading.Thread(target=stop_and_hand_over, name="stop", daemon=True).start()

    signal.signal(number, on_signal)


def _drain(engine: Engine, drain_seconds: float, card_loading_seconds: float) -> None:
    is_loading = engine.state is State.LOADING
    seconds = drain_seconds
    if is_loading:
        log.info("Stopping before the model is loaded")
        seconds = min(LOADING_SECONDS, drain_seconds)
    else:
        log.info("Stopping: %d answers are being finished", engine.health().running)
    # The device is closed at the end of the engine's thread. A step that hangs, or a model that is
    # still being read, must not keep the process alive.
    engine.drain(seconds)
    has_ended = False
    if not (is_loading and open_card):
        has_ended = _wait(engine, seconds)
    if is_loading and open_card and not has_ended:  # or one that was opened in these seconds
        log.info(
            "The device is closed as soon as this part of loading is done, or left open after "
            "%d s. A second Ctrl+C does not wait; then the board may need `tt-smi -r`",
            card_loading_seconds,
        )
        has_ended = _wait(engine, card_loading_seconds)
    if not has_ended:
        log.warning("The engine did not stop in time")
        _tell_open_card()
    log.info("Stopped")


def _hurry(engine: Engine, card_loading_seconds: float) -> None:
    engine.drain(0.0)
    if not engine.join(HURRY_SECONDS):
        _tell_open_card()
        is_loading = open_card and not engine.was_ready
        engine.join(card_loading_seconds if is_loading else CLOSING_SECONDS)


def _wait(engine: Engine, seconds: float) -> bool:
    return engine.join(seconds + (CLOSING_SECONDS if open_card else LAST_WORDS_SECONDS))


def _tell_open_card() -> None:
    if open_card:
        log.warning(
            "The device is still open: only the model's own thread may close it, and that is busy. "
            "If the next start fails, `tt-smi -r` resets the board"
        )
