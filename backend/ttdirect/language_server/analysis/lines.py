"""Where a character stands: offsets in a text, and the lines and columns that editors speak of.

Editors end lines at LF, CRLF and CR alone, and count columns in UTF-16 code units. Python's
`splitlines` also ends them at form feeds and six other characters, so it is not used here.
"""

from __future__ import annotations

import bisect
import re
from typing import NamedTuple

_END = re.compile(r"\r\n|\n|\r")


class Place(NamedTuple):
    """A line and a column, both from 0; the column counts UTF-16 code units."""

    line: int
    column: int


class LineIndex:
    """The lines of one text.

    Args:
        text: the whole text; offsets into it count code points.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._is_ascii = text.isascii()
        ends = list(_END.finditer(text))
        self._starts = [0, *(end.end() for end in ends)]
        self._stops = [*(end.start() for end in ends), len(text)]

    def __len__(self) -> int:
        return len(self._starts)

    def line_of(self, offset: int) -> int:
        """The line that holds an offset; that of the text's end is the last one."""
        return bisect.bisect_right(self._starts, offset) - 1

    def start_of(self, line: int) -> int:
        """The offset at which a line begins."""
        return self._starts[line]

    def end_of(self, line: int) -> int:
        """The offset at which a line ends, before its line ending."""
        return self._stops[line]

    def line_text(self, line: int) -> str:
        """A line without its ending."""
        return self._text[self._starts[line] : self._stops[line]]

    def place(self, offset: int) -> Place:
        """The line and column of an offset. One inside of a CRLF counts as the line's end."""
        line = self.line_of(offset)
        start, offset = self._starts[line], min(offset, self._stops[line])
        if self._is_ascii:
            return Place(line, offset - start)
        return Place(line, _utf16_length(self._text[start:offset]))

    def offset(self, line: int, column: int) -> int:
        """The offset of a line and column; what lies outside of the text is moved into it."""
        if line >= len(self._starts):
            return len(self._text)
        start, stop = self._starts[line], self._stops[line]
        if self._is_ascii:
            return min(start + column, stop)
        units = 0
        for offset in range(start, stop):
            if units >= column:
                return offset
            units += 2 if ord(self._text[offset]) > 0xFFFF else 1
        return stop


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
