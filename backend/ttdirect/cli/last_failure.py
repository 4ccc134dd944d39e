"""Why the last server of this user gave up, from the note that it has left."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from ttdirect.cli.json_values import json_object, object_in, text_in


def last_failure() -> str:
    """Return when a server gave up, its code, what happened and what to do; empty for none.

    `server/note.py` writes the notes. It is not imported: a report must also be made where the
    server's packages are missing. A note stays ten minutes, and on until another server starts.
    """
    newest, text = 0.0, ""
    folder = Path("~/.cache/ttdirect/servers").expanduser()
    for path in folder.glob("*.json"):
        try:
            written, content = path.stat().st_mtime, path.read_bytes()
        except OSError:  # its server has just ended
            continue
        failure = object_in(json_object(content), "failure")
        if failure and written > newest:
            newest = written
            when = dt.datetime.fromtimestamp(written, dt.timezone.utc).isoformat(timespec="seconds")
            what = f"{text_in(failure, 'code')}: {text_in(failure, 'what')}"
            text = f"{when}  {what} fix: {text_in(failure, 'fix')}"
    return text
