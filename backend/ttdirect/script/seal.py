"""The last line of a rendered script, by which a file that nobody changed is recognised."""

from __future__ import annotations

import hashlib

_PREFIX = "# ttdirect: rendered sha256="


def seal(text: str) -> str:
    """Return `text`, which ends with a newline, with its seal as one more line."""
    return f"{text}{_PREFIX}{_digest(text)}\n"


def is_as_rendered(text: str) -> bool:
    """Return whether `text` is a rendering, by this or an earlier version, without any change."""
    body, prefix, digest = text.rpartition(_PREFIX)
    return bool(prefix) and digest == f"{_digest(body)}\n"


def _digest(text: str) -> str:
    # "surrogatepass" so that a digest exists for every text that Python can hold.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
