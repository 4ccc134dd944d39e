"""A text as the parsers see it, in bytes, and as the rest of us do, in characters."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

_STEP = 4096
_LONE_CR = re.compile(r"\r(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Span(NamedTuple):
    """A stretch of a document, as offsets of code points; `end` is not part of it."""

    start: int
    end: int

    def holds(self, offset: int) -> bool:
        """Whether a cursor at `offset` is in it or at one of its edges."""
        return self.start <= offset <= self.end


class Source:
    """A text to parse, which may be a part of a document.

    Args:
        text: what the parser gets.
        places: for a part: pairs of an offset in `text` and the offset in the document that it
            stands at, in order; between two pairs, both run alike. None for a whole document.
    """

    def __init__(self, text: str, places: Sequence[tuple[int, int]] | None = None) -> None:
        # Python ends lines at a lone CR, too; the parser does not. And half a surrogate pair, which
        # JSON can carry, is no character for it. What stands for them is as long as they are.
        text = _LONE_CR.sub("\n", text) if "\r" in text else text
        text = text if text.isascii() else _SURROGATE.sub("\ufffd", text)
        self.text = text
        self.data = text.encode()
        self._is_ascii = len(self.data) == len(text)
        self._marks = [] if self._is_ascii else self._characters_up_to_marks()
        self._inner = None if places is None else [inner for inner, _ in places]
        self._outer = [] if places is None else [outer for _, outer in places]

    def span(self, node: Node) -> Span:
        """Where a node of the syntax tree stands in the document."""
        return Span(self.at(node.start_byte), self.at(node.end_byte))

    def at(self, byte: int) -> int:
        """The document's offset of a byte of the text."""
        return self.outer(self.character(byte))

    def outer(self, offset: int) -> int:
        """The document's offset of an offset in the text."""
        if self._inner is None:
            return offset
        piece = max(bisect.bisect_right(self._inner, offset) - 1, 0)
        return self._outer[piece] + offset - self._inner[piece]

    def character(self, byte: int) -> int:
        """The offset of a byte, in characters of the text."""
        if self._is_ascii:
            return byte
        mark = byte // _STEP
        start = mark * _STEP
        return self._marks[mark] + _characters(self.data[start:byte])

    def byte(self, offset: int) -> int:
        """The byte at which a character of the text begins."""
        if self._is_ascii:
            return offset
        return len(self.text[:offset].encode())

    def of(self, node: Node) -> str:
        """The text of a node."""
        data = self.data[node.start_byte : node.end_byte]
        return data.decode("utf-8", "replace")  # a broken text may be cut anywhere

    def _characters_up_to_marks(self) -> list[int]:
        marks = [0]
        for start in range(0, len(self.data), _STEP):
            marks.append(marks[-1] + _characters(self.data[start : start + _STEP]))
        return marks


_CONTINUING = bytes(range(0x80, 0xC0))


def _characters(data: bytes) -> int:
    # Every character has exactly one byte that does not continue another.
    return len(data.translate(None, _CONTINUING))
