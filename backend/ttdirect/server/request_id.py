"""A name for each request, which the client, the server's log and a proxy's log share."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g, request

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""What may stand in a header and in a terminal."""


@dataclass(slots=True)
class Asking:
    """What the log may know of a request.

    Args:
        id: its name.
        is_known: whether somebody can know the name, so that it helps in lines for people: the
            client sent it, or is an OpenAI client, which shows it as `_request_id`.
        owner: the name of the key that it came with, if the server asks for keys.
    """

    id: str
    is_known: bool
    owner: str | None = None


_asking: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""Beyond Flask's own context, because a stream goes on after Flask has left its request."""


def asking() -> Asking | None:
    """The request that this thread works for; None on the engine's thread and outside of one."""
    return _asking.get()


def name_requests(app: Flask) -> None:
    """Give every answer the header `X-Request-Id`: the client's own, or a new one.

    The log's lines of a request end in it where somebody can know it.
    """
    app.before_request(_take_name)
    app.after_request(_send_name)
    logging.getLogger("ttdirect.requests").addFilter(_show_name)


def _take_name() -> None:
    sent = request.headers.get(HEADER, "")
    is_sane = _SANE.fullmatch(sent) is not None
    g.request_id = sent if is_sane else f"req-{uuid.uuid4().hex[:16]}"
    _asking.set(Asking(g.request_id, is_sane or request.path.startswith("/v1/")))


def _send_name(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    # Once all is sent: the thread's next words may be about a client that never got this far.
    response.call_on_close(lambda: _asking.set(None))
    return response


def _show_name(record: logging.LogRecord) -> bool:
    now = _asking.get()
    if now is not None and now.is_known:
        record.msg = f"{record.msg}  [{now.id}]"  # a sane name holds no percent sign
    return True
