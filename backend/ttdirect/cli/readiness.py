"""Waiting for the server to have its model loaded, with what it is doing on stderr."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ttdirect.cli.connection import refusal
from ttdirect.cli.errors import CommandError
from ttdirect.cli.json_values import json_object, number_in, text_in
from ttdirect.cli.terminal import StatusLine, neutralise

if TYPE_CHECKING:
    import requests

    from ttdirect.cli.connection import Connection

_POLL_SECONDS = 0.5
_STATUSES = ("healthy", "loading", "draining", "stopped", "failed")


@dataclass(frozen=True)
class Health:
    """What `/health` of one of our servers says."""

    status: Literal["healthy", "loading", "draining", "stopped", "failed"]
    model: str
    device: str
    note: str
    phase: str
    progress: float


def read_health(connection: Connection, root: str) -> Health | None:
    """Return the state of the server at `root`, None if it is none of ours.

    Raises:
        CommandError: If nothing answers there, or it wants another key.
    """
    response = connection.get(f"{root}/health")
    if response.status_code == 401:
        raise refusal(response)
    report = json_object(response.content)
    if "model_loaded" not in report or report.get("status") not in _STATUSES:
        return None
    return Health(
        status=report["status"],
        model=text_in(report, "model"),
        device=text_in(report, "device"),
        note=text_in(report, "note"),
        phase=text_in(report, "phase"),
        progress=number_in(report, "progress"),
    )


def wait_until_ready(connection: Connection, root: str, *, wait: bool) -> Health | None:
    """Return the server's health once it can answer; without `wait`, now or never.

    None if something else than one of our servers answers.

    Raises:
        CommandError: If the server is not there, will not become ready, or should not be
            waited for.
    """
    line = StatusLine()
    health = read_health(connection, root)
    try:
        while health and health.status == "loading" and wait:
            line.show(f"The server is loading: {_progress(health)}")
            time.sleep(_POLL_SECONDS)
            health = read_health(connection, root)
    finally:
        line.clear()
    if health is None:
        return None
    match health.status:
        case "healthy":
            return health
        case "loading":
            raise CommandError(
                f"the server is still loading: {_progress(health)}",
                fix="try again later, or leave out --no-wait",
            )
        case "draining" | "stopped":
            raise CommandError(
                "the server is shutting down", fix="start it again with: ttdirect serve"
            )
        case "failed":
            reason = neutralise(health.note) or "it gives no reason"
            raise CommandError(
                f"the server could not load its model: {reason}",
                fix="read the server's terminal, and check this computer with: ttdirect doctor",
            )


def get_when_loaded(connection: Connection, url: str, *, wait: bool) -> requests.Response:
    """Return the answer to a GET, asked again while it is 503; other servers load like that.

    Raises:
        CommandError: If nothing answers there.
    """
    line = StatusLine()
    try:
        response = connection.get(url)
        while response.status_code == 503 and wait:
            line.show(f"The server is loading: {refusal(response).what}")
            time.sleep(_POLL_SECONDS)
            response = connection.get(url)
        return response
    finally:
        line.clear()


def _progress(health: Health) -> str:
    phase = neutralise(health.phase or health.note)
    return f"{phase} ({health.progress:.0%})" if phase else f"{health.progress:.0%}"
