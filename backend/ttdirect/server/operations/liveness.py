"""GET /livez: whether this process can still do its work, or should be started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, jsonify

from ttdirect.engine import Engine, Health, State
from ttdirect.server.errors import for_clients

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue


def add_liveness(app: Flask, engine: Engine) -> None:
    """Add `GET /livez`.

    It is 200 while the server loads, drains or is full, where `/health` may be 503: whoever
    restarts servers by `/livez` must not restart one that is only busy.
    """

    def livez() -> ResponseReturnValue:
        """Whether the process is alive; 503 means that it needs a restart."""
        health = engine.health()
        reason = _why_dead(engine, health)
        report = {
            "status": "alive" if reason is None else "dead",
            "note": reason or "The process works.",
            "state": engine.state.value,
            "step_seconds": round(health.step_seconds, 1),
        }
        return jsonify(report), 200 if reason is None else 503

    app.add_url_rule("/livez", view_func=livez)


def _why_dead(engine: Engine, health: Health) -> str | None:
    if health.stuck_note:
        return health.stuck_note
    if health.state is State.FAILED:
        return for_clients(health.note)
    if engine.has_died:
        return "The engine's thread has ended, so nothing will be answered any more."
    return None
