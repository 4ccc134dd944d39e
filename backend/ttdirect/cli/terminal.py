"""What is different when a terminal reads along: colours, and text that must not drive it."""

from __future__ import annotations

import os
import sys
from typing import Literal, TextIO

Style = Literal["red", "green", "yellow", "dim"]

_CODES: dict[Style, str] = {"red": "31", "green": "32", "yellow": "33", "dim": "2"}

# C0 controls and DEL have pictures of their own in Unicode; C1 controls, which some terminals
# obey too, are spelt out. Line feed and tab are text.
_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}
_CONTROLS[0x7F] = "\u2421"
_CONTROLS.update({code: f"\\x{code:02x}" for code in range(0x80, 0xA0)})


def paint(text: str, style: Style, stream: TextIO) -> str:
    """Return `text` in colour if `stream` is a terminal that wants it, else as it is."""
    if not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def neutralise(text: str) -> str:
    """Return `text` with its control characters made visible instead of effective.

    Text from a model or a server could otherwise retitle the terminal, rewrite what stands
    there, or answer questions in the user's name.
    """
    return text.translate(_CONTROLS)


class StatusLine:
    """A line on stderr that is rewritten on a terminal, and elsewhere printed when it changes."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, text: str) -> None:
        """Put `text` in the place of what was shown before."""
        if text == self._shown:
            return
        if sys.stderr.isatty():
            self.clear()
            print(text, end="", flush=True, file=sys.stderr)
        else:
            print(text, file=sys.stderr)
        self._shown = text

    def clear(self) -> None:
        """Take the line away, where that is possible."""
        if self._shown and sys.stderr.isatty():
            print(f"\r{' ' * len(self._shown)}\r", end="", flush=True, file=sys.stderr)
        self._shown = ""
