"""Says in the log when a step of the model gets stuck, and when it goes on."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from ttdirect.engine import RESTART_ADVICE

if TYPE_CHECKING:
    from ttdirect.engine import Engine

log = logging.getLogger("ttdirect.server")

CHECK_SECONDS = 1.0


def watch_steps(engine: Engine, check_seconds: float = CHECK_SECONDS) -> threading.Thread:
    """Watch a started engine, on a thread that ends with the engine's own.

    Args:
        engine: started.
        check_seconds: time between two looks.

    Returns:
        The thread.
    """
    thread = threading.Thread(
        target=_watch, args=(engine, check_seconds), name="watchdog", daemon=True
    )
    thread.start()
    return thread


def _watch(engine: Engine, check_seconds: float) -> None:
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
        elif stuck_for:
            log.error(
                "The model goes on: the step was stuck for %.0f s.",
                stuck_for,
                extra={"fields": {"event": "unstuck", "step_seconds": round(stuck_for, 1)}},
            )
            stuck_for = 0.0
