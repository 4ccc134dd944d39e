"""Lines and offsets of a script's text, in code points, with the line ends that Python knows."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

BOM = "\ufeff"

# Form feeds and the separators of Unicode end no line for Python, unlike for `str.splitlines`.
_LINE_END = re.compile(r"\r\n|\r|\n")


class Lines:
    """Where the lines of a text are. Lines are counted from 1, as `ast` does.

    Args:
        text: the whole text, with its byte order mark if it has one.
    """

    def __init__(self, text: str) -> None:
        ends = list(_LINE_END.finditer(text))
        self._text = text
        self._starts = [len(BOM) if text.startswith(BOM) else 0, *(end.end() for end in ends)]
        self._ends = [*(end.start() for end in ends), len(text)]

    @property
    def count(self) -> int:
        """How many lines there are; an empty one after the last line end counts."""
        return len(self._starts)

    def start(self, line: int) -> int:
        """The offset of the line's first character."""
        return self._starts[line - 1]

    def end(self, line: int) -> int:
        """The offset behind the line's last character, before its line end."""
        return self._ends[line - 1]

    def text(self, line: int) -> str:
        """The line without its line end."""
        return self._text[self.start(line) : self.end(line)]

    def is_blank(self, line: int) -> bool:
        """Whether the line holds white space at most."""
        return not self.text(line).strip()

    def indentation(self, line: int) -> str:
        """The white space before the line's first character, without form feeds."""
        text = self.text(line)
        return text[: len(text) - len(text.lstrip())].replace("\f", "")

    def newline(self, line: int) -> str:
        """What ends the line; for the last line, what ends the one before it."""
        number = min(line, self.count - 1)
        return self._text[self._ends[number - 1] : self._starts[number]] if number else "\n"

    def line_of(self, offset: int) -> int:
        """The line that an offset is in."""
        return max(bisect.bisect_right(self._starts, offset), 1)

    def span(self, node: ast.stmt | ast.expr | ast.keyword) -> tuple[int, int]:
        """The offsets at which a node of the syntax tree begins and ends."""
        assert node.end_lineno is not None  # noqa: S101 - true of everything that was parsed
        assert node.end_col_offset is not None  # noqa: S101
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno, node.end_col_offset),
        )

    def _offset(self, line: int, utf8_column: int) -> int:
        in_bytes = self.text(line).encode()
        # "ignore", because before Python 3.12 places inside of f-strings are not exact.
        return self.start(line) + len(in_bytes[:utf8_column].decode(errors="ignore"))
