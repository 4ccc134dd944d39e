"""How much of a request has arrived, seen from the bytes that wait in the socket.

A thread that reads from a slow sender can do nothing else meanwhile. So bytes wait in the kernel
until a request is whole, and only then does a thread take it.
"""

from __future__ import annotations

import enum
import re

LOOKED_AT = 64 * 1024
"""Bytes that are waited for at most; a longer request is read by a thread while it comes."""

HEAD_BYTES = 32 * 1024
"""The same for the request's line and its headers."""

_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,18})[ \t]*\r?$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:[^\r\n]*chunked")
_ASKS_FIRST = re.compile(rb"(?im)^expect:")


class Arrival(enum.Enum):
    """What can be done with the bytes at hand."""

    PART = "wait for more"
    WHOLE = "answer it"
    LARGE = "read the rest while it comes"


def arrival_of(data: bytes) -> Arrival:
    """What has arrived of the first request in `data`.

    This is no parser: what is not HTTP counts as whole, and gunicorn finds the mistake.

    Args:
        data: the first `LOOKED_AT` bytes of a connection, or fewer if fewer have come.
    """
    start = len(data) - len(data.lstrip(b"\r\n"))  # empty lines before a request are allowed
    end = _END_OF_HEAD.search(data, start)
    if end is None:
        return Arrival.LARGE if len(data) > HEAD_BYTES else Arrival.PART
    head, body = data[start : end.start()], data[end.end() :]
    if _ASKS_FIRST.search(head):  # it sends its body when it is told to
        return Arrival.LARGE
    if _CHUNKED.search(head):
        needed = 0
        whole = body.endswith(b"\r\n\r\n")  # as behind the last chunk
    else:
        lengths = _LENGTH.findall(head)
        needed = int(lengths[0]) if len(lengths) == 1 else 0
        whole = len(body) >= needed
    if whole:
        return Arrival.WHOLE
    too_long = len(data) >= LOOKED_AT or end.end() + needed > LOOKED_AT
    return Arrival.LARGE if too_long else Arrival.PART
