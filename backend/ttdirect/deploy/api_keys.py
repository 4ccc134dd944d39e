"""The keys of a deployment: made once, and never shown or replaced."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = """\
# The keys that open the server, one a line, with the name of whom it belongs to.
# Add and withdraw them here, and start the service again. Never put this file into a repository.
"""

METRICS = "prometheus"
"""Whose key Prometheus gets: it may be withdrawn without changing anybody's else."""


def make_keys(path: Path) -> bool:
    """Write a file with two fresh keys for its owner alone, unless there is one; return whether.

    Raises:
        OSError: If it cannot be written.
    """
    names = ("clients", METRICS)
    lines = [f"{name}:{secrets.token_urlsafe(32)}" for name in names]
    return _write_private(path, "\n".join([_HEAD.rstrip("\n"), *lines, ""]))


def make_metrics_key(keys: Path, path: Path) -> bool:
    """Write Prometheus' key alone into a file, as it wants it, unless there is one; return whether.

    Raises:
        OSError: If a file cannot be read or written.
        LookupError: If nobody of that name has a key.
    """
    found = re.search(rf"(?m)^{METRICS}:(\S+)$", keys.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(METRICS)
    return _write_private(path, found[1])


def _write_private(path: Path, text: str) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True
