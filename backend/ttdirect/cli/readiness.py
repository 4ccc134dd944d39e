"""Waiting for the server to have its model loaded, with what it is doing on stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from ttdirect.cli.errors import CommandError
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from ttdirect.cli.client import Health, ServerClient

_POLL_SECONDS = 0.5


def wait_until_ready(client: ServerClient, *, wait: bool) -> Health:
    """Return the server's health once it can answer; without `wait`, now or never.

    Raises:
        CommandError: If the server is not there, will not become ready, or should not be
            waited for.
    """
    line = _StatusLine()
    health = client.health()
    try:
        while health.status == "loading" and wait:
            line.show(f"The server is loading: {_progress(health)}")
            time.sleep(_POLL_SECONDS)
            health = client.health()
    finally:
        line.clear()
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


def _progress(health: Health) -> str:
    phase = neutralise(health.phase or health.note)
    return f"{phase} ({health.progress:.0%})" if phase else f"{health.progress:.0%}"


class _StatusLine:
    """A line on stderr that is rewritten on a terminal, and elsewhere printed when it changes."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        if text == self._shown:
            return
        if sys.stderr.isatty():
            self.clear()
            print(text, end="", flush=True, file=sys.stderr)
        else:
            print(text, file=sys.stderr)
        self._shown = text

    def clear(self) -> None:
        if self._shown and sys.stderr.isatty():
            print(f"\r{' ' * len(self._shown)}\r", end="", flush=True, file=sys.stderr)
        self._shown = ""
