"""POST /chat/stream: the answer as server-sent events, piece by piece."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from ttdirect.server.errors import ClientLeftError, as_api_error
from ttdirect.server.fields import chat_fields
from ttdirect.server.waiting import client_has_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.engine import Completion, Engine

PING_SECONDS = 10.0
"""A comment goes out this often when no text does: proxies close connections that look dead."""

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}
"""Characters at which some clients end a line, and JSON does not escape."""


def add_streaming(app: Flask, engine: Engine) -> None:
    """Add `POST /chat/stream`, which takes what `/chat` takes.

    Each event is `data: {"text": ...}`; the last one carries the figures of `/chat`. An error
    after the start is one `data: {"error": ...}`.
    """

    def chat_stream() -> Response:
        fields = chat_fields(request)
        answer = engine.ask(**fields, stream=True)
        response = Response(
            _events(answer, fields["prompt"], request.environ), mimetype="text/event-stream"
        )
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the events otherwise
        # If the client is gone before the first event, the generator never runs.
        response.call_on_close(answer.cancel)
        return response

    app.add_url_rule("/chat/stream", view_func=chat_stream, methods=["POST"])


def _events(answer: Completion, prompt: str, environ: dict[str, Any]) -> Iterator[str]:
    """The events of one answer.

    The first piece is awaited before anything is sent, so that a request that fails while it
    waits in the queue still gets a proper status.
    """
    pieces = answer.pieces()
    try:
        opening = _until_text_or_ping(pieces, environ)
    except ClientLeftError:
        answer.cancel()
        raise
    return _render(itertools.chain(opening, pieces), answer, prompt, environ)


def _until_text_or_ping(pieces: Iterator[str], environ: dict[str, Any]) -> list[str]:
    begun = time.monotonic()
    for piece in pieces:
        if client_has_left(environ):
            raise ClientLeftError
        if piece or time.monotonic() - begun > PING_SECONDS:
            return [piece]
    return []


def _render(
    pieces: Iterator[str], answer: Completion, prompt: str, environ: dict[str, Any]
) -> Iterator[str]:
    sent_at = time.monotonic()
    yield ": the answer follows piece by piece\n\n"
    try:
        for piece in pieces:
            if piece:
                yield _event({"text": piece})
                sent_at = time.monotonic()
            elif client_has_left(environ):
                return
            elif time.monotonic() - sent_at > PING_SECONDS:
                yield ": ping\n\n"
                sent_at = time.monotonic()
        if answer.figures is not None:
            yield _event({"prompt": prompt, "response": answer.text, **answer.figures.as_json()})
    except Exception as error:  # noqa: BLE001 - the status is sent; an event is all that is left
        yield _event({"error": str(as_api_error(error))})
    finally:
        answer.cancel()


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False).translate(_ESCAPES)}\n\n"
