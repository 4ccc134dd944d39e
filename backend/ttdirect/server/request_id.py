"""A name for each request, which the client, the server's log and a proxy's log share."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING

from flask import g, request

if TYPE_CHECKING:
    from flask import Flask, Response

HEADER = "X-Request-Id"

_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""What may stand in a header and in a terminal."""

_shown: ContextVar[str | None] = ContextVar("shown_request_id", default=None)


def name_requests(app: Flask) -> None:
    """Give every answer the header `X-Request-Id`: the client's own, or a new one.

    The log's lines of a request end in it where somebody can know it: the client sent one, or
    uses an OpenAI client, which shows it as `_request_id`.
    """
    app.before_request(_take_name)
    app.after_request(_send_name)
    logging.getLogger("ttdirect.requests").addFilter(_show_name)


def _take_name() -> None:
    sent = request.headers.get(HEADER, "")
    is_sane = _SANE.fullmatch(sent) is not None
    g.request_id = sent if is_sane else f"req-{uuid.uuid4().hex[:16]}"
    _shown.set(g.request_id if is_sane or request.path.startswith("/v1/") else None)


def _send_name(response: Response) -> Response:
    response.headers[HEADER] = g.request_id
    return response


def _show_name(record: logging.LogRecord) -> bool:
    name = _shown.get()
    if name is not None:
        record.msg = f"{record.msg}  [{name}]"
    return True
