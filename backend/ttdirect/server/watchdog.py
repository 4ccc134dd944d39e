"""Says in the log when a step of the model gets stuck and when it goes on, and gives up on it.

A stuck step may still end: a program that was not warmed up is compiled for minutes. One that lasts
longer than any request may does not, and nobody but this thread can end the process then: the
engine's own thread is in it. If native code holds Python's lock meanwhile, this thread stands
still, too; gunicorn's master notices that (`worker_end.SILENCE_SECONDS`).
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from ttdirect.device import hangs, open_card
from ttdirect.engine import RESTART_ADVICE, State, StepFailedError

if TYPE_CHECKING:
    from ttdirect.engine import Engine

log = logging.getLogger("ttdirect.server")

CHECK_SECONDS = 1.0

GIVE_UP_SECONDS = 600.0
"""After so long in one step, which is also the time that the script gives to a request."""


def watch_steps(
    engine: Engine,
    check_seconds: float = CHECK_SECONDS,
    give_up_seconds: float = GIVE_UP_SECONDS,
) -> threading.Thread:
    """Watch a started engine, on a thread that ends with the engine's own.

    Args:
        engine: started.
        check_seconds: time between two looks.
        give_up_seconds: the engine fails when a step takes longer.

    Returns:
        The thread.
    """
    thread = threading.Thread(
        target=_watch,
        args=(engine, check_seconds, give_up_seconds),
        name="watchdog",
        daemon=True,
    )
    thread.start()
    return thread


def _watch(engine: Engine, check_seconds: float, give_up_seconds: float) -> None:
    stuck_for = 0.0
    while not engine.join(check_seconds):
        health = engine.health()
        if health.stuck_note:
            if not stuck_for:
                log.error(
                    "%s %s",
                    health.stuck_note,
                    RESTART_ADVICE,
                    extra={
                        "fields": {"event": "stuck", "step_seconds": round(health.step_seconds, 1)}
                    },
                )
            stuck_for = health.step_seconds
            if stuck_for > give_up_seconds and engine.state is State.READY:
                engine.give_up(_never_ended(stuck_for))
                return
        elif stuck_for:
            log.error(
                "The model goes on: the step was stuck for %.0f s.",
                stuck_for,
                extra={"fields": {"event": "unstuck", "step_seconds": round(stuck_for, 1)}},
            )
            stuck_for = 0.0


def _never_ended(seconds: float) -> Exception:
    what = f"A step of the model has been going on for {seconds:.0f} s"
    return hangs(what) if open_card else StepFailedError(f"{what}.")
