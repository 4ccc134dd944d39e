"""A note about the running server in the user's home folder, so that editors can find it.

`~/.cache/ttdirect/servers/<pid>.json` holds

    {"pid": 4711, "parent": 4700, "script": "/home/ann/tt-api-server-direct.py",
     "address": "http://127.0.0.1:8080", "by": "script", "failure": null}

`pid` is the process to send SIGTERM to, `parent` the shell that started it, `by` is "script" or
"gunicorn". `address` is null until the socket is bound. An orderly end removes the note; a server
that had to give up leaves its `failure` (`code`, `what`, `fix`) for whoever waits for it. A note
whose process is gone is nobody's, and the next server sweeps it away.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ttdirect.server.terminal import Failure

KEEP_SECONDS = 600.0
"""How long the note of a process that is gone stays readable."""


class Note:
    """The note of one server process. A home folder that cannot be written is no failure."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._content: dict[str, Any] = {}

    def open(self, pid: int, script: str, by: Literal["script", "gunicorn"]) -> None:
        """Begin the note of this server.

        Args:
            pid: the process that ends the whole server when it gets SIGTERM.
            script: path of the user's script.
            by: who runs whom.
        """
        self._sweep()
        self._path = self._folder / f"{pid}.json"
        self._update(
            pid=pid,
            parent=_parent_of(pid),
            script=str(Path(script).absolute()),
            address=None,
            by=by,
            failure=None,
        )

    def listening(self, address: str) -> None:
        """Say where the server listens, as `http://...`."""
        self._update(address=address)

    def failed(self, failure: Failure) -> None:
        """Say why the server gives up."""
        self._update(failure={"code": failure.code, "what": failure.what, "fix": failure.fix})

    def close(self) -> None:
        """Remove the note."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._path = None

    def _update(self, **changes: Any) -> None:
        self._content |= changes
        if self._path is None:  # never opened: the engine runs inside another program
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._content), encoding="utf-8")
            temporary.replace(self._path)  # a reader never sees half a note

    def _sweep(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._folder.glob("*.json"):
                old = path.stat().st_mtime < time.time() - KEEP_SECONDS
                if old and not _is_alive(int(path.stem)):
                    path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, so it is there
        pass
    return True


def _parent_of(pid: int) -> int | None:
    """The parent of this process, or of its parent; None for any other that the system hides."""
    if pid == os.getpid():
        return os.getppid()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])  # the name in brackets may hold spaces


def _folder() -> Path:
    try:
        return Path.home() / ".cache" / "ttdirect" / "servers"
    except RuntimeError:  # no home folder at all
        return Path(os.devnull)


note = Note(_folder())
"""This process's note; a forked worker inherits it."""
