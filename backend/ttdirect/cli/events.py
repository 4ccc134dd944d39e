"""Server-sent events: from bytes as they arrive to the data of each event."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# A lone CR ends a line too, but the LF of a CRLF may still be on its way: wait for what follows.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\n|\Z)")


def read_events(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the data of each complete event; comments and other fields are ignored.

    Chunks may be cut anywhere, within a character too: bytes become text line by line.

    Raises:
        UnicodeDecodeError: If a line is not UTF-8.
    """
    data: list[str] = []
    for line in _read_lines(chunks):
        if not line and data:
            yield "\n".join(data)
            data = []
        name, _, value = line.decode("utf-8").partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))


def _read_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = _LINE_END.split(rest + chunk)
        yield from lines
