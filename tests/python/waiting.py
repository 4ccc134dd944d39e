"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 30.0


def wait_until(condition: Callable[[], Any], what: str = "the condition") -> None:
    """Return as soon as `condition()` is true; fail the test if that takes too long."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what} did not come about")
        time.sleep(0.0005)
