"""The notes of this user's servers: where each one's script is, and why one gave up.

`ttdirect.server.note` writes them and describes them. It is not imported, because it would bring
Flask with it.
"""

from __future__ import annotations

import contextlib
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from ttdirect.cli.connection import is_loopback
from ttdirect.cli.json_values import json_object, object_in, text_in

if TYPE_CHECKING:
    from collections.abc import Iterator


class Crash(BaseModel):
    """A server that gave up; its note stays for ten minutes, or until the next server starts."""

    at: datetime
    script: str
    code: str
    what: str
    fix: str


def crashes() -> list[Crash]:
    """The servers that gave up not long ago, the latest first."""
    found = [
        Crash(
            at=at,
            script=text_in(note, "script"),
            code=text_in(failure, "code"),
            what=text_in(failure, "what"),
            fix=text_in(failure, "fix"),
        )
        for at, note in _notes()
        if (failure := object_in(note, "failure"))
    ]
    return sorted(found, key=lambda crash: crash.at, reverse=True)


def script_of(url: str) -> Path | None:
    """The script of the server on this computer that listens on the port of `url`, if known."""
    for _, note in _notes():
        address = text_in(note, "address")
        if is_loopback(url) and address and urlsplit(address).port == urlsplit(url).port:
            script = Path(text_in(note, "script"))
            if script.suffix == ".py" and script.is_file():  # `ttdirect serve` leaves no file
                return script
    return None


def _notes() -> Iterator[tuple[datetime, dict[str, Any]]]:
    """The notes that can be read, each with the time of its last change."""
    with contextlib.suppress(OSError, RuntimeError):  # no home folder, or none of ours in it
        for path in (Path.home() / ".cache" / "ttdirect" / "servers").glob("*.json"):
            with contextlib.suppress(OSError, UnicodeDecodeError):  # gone meanwhile
                changed = datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc)
                yield changed, json_object(path.read_text(encoding="utf-8"))
