"""Answers as server-sent events, piece by piece, and the lesson's route that does so."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from flask import Flask, Response, request

from ttdirect.server.errors import ClientLeftError, as_api_error
from ttdirect.server.fields import chat_fields
from ttdirect.server.waiting import cancel_all, client_has_left

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ttdirect.engine import Completion, Engine

PING_SECONDS = 10.0
"""A comment goes out this often when no text does: proxies close connections that look dead."""

_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}
"""Characters at which some clients end a line, and JSON does not escape."""

Piece = TypeVar("Piece")
Piece_contra = TypeVar("Piece_contra", contravariant=True)


class Events(Protocol[Piece_contra]):
    """What a stream tells its client; each method gives the data of some events."""

    def begin(self) -> Iterable[str]:
        """Before the first piece."""
        ...

    def piece(self, piece: Piece_contra) -> Iterable[str]:
        """For a piece of an answer."""
        ...

    def end(self) -> Iterable[str]:
        """After the last piece."""
        ...

    def failure(self, error: Exception) -> Iterable[str]:
        """Instead of the rest."""
        ...


def event_stream(
    pieces: Iterator[Piece | None], events: Events[Piece], answers: Sequence[Completion]
) -> Response:
    """Stream answers as server-sent events.

    The first piece is awaited before anything is sent, so that a request that fails while it
    waits in the queue still gets a proper status.

    Args:
        pieces: what comes, None where nothing came for a moment.
        events: turns that into the data of events.
        answers: what is cancelled when the client leaves.

    Raises:
        ClientLeftError: the client hung up before anything came.
        EngineError: the answer did not come about.
    """
    environ = request.environ
    try:
        opening = _until_piece_or_ping(pieces, environ)
    except Exception:
        cancel_all(answers)
        raise
    rendered = _render(itertools.chain(opening, pieces), events, answers, environ)
    response = Response(rendered, mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the events otherwise
    # If the client is gone before the first event, the generator never runs.
    response.call_on_close(lambda: cancel_all(answers))
    return response


def event_data(data: Any) -> str:
    """The data of an event: JSON on one line, whatever ends a line for a client."""
    return json.dumps(data, ensure_ascii=False).translate(_ESCAPES)


def add_streaming(app: Flask, engine: Engine) -> None:
    """Add `POST /chat/stream`, which takes what `/chat` takes.

    Each event is `data: {"text": ...}`; the last one carries the figures of `/chat`. An error
    after the start is one `data: {"error": ...}`.
    """

    def chat_stream() -> Response:
        fields = chat_fields(request)
        answer = engine.ask(**fields, stream=True)
        pieces = (piece or None for piece in answer.pieces())
        return event_stream(pieces, _LessonEvents(answer, fields["prompt"]), [answer])

    app.add_url_rule("/chat/stream", view_func=chat_stream, methods=["POST"])


class _LessonEvents:
    """The events of `/chat/stream`."""

    def __init__(self, answer: Completion, prompt: str) -> None:
        self._answer = answer
        self._prompt = prompt

    def begin(self) -> Iterator[str]:
        return iter(())

    def piece(self, piece: str) -> Iterator[str]:
        yield event_data({"text": piece})

    def end(self) -> Iterator[str]:
        answer = self._answer
        if answer.figures is not None:
            figures = answer.figures.as_json()
            yield event_data({"prompt": self._prompt, "response": answer.text, **figures})

    def failure(self, error: Exception) -> Iterator[str]:
        yield event_data({"error": str(as_api_error(error))})


def _until_piece_or_ping(
    pieces: Iterator[Piece | None], environ: dict[str, Any]
) -> list[Piece | None]:
    begun = time.monotonic()
    for piece in pieces:
        if client_has_left(environ):
            raise ClientLeftError
        if piece is not None or time.monotonic() - begun > PING_SECONDS:
            return [piece]
    return []


def _render(
    pieces: Iterator[Piece | None],
    events: Events[Piece],
    answers: Sequence[Completion],
    environ: dict[str, Any],
) -> Iterator[str]:
    sent_at = time.monotonic()
    yield ": the answer follows piece by piece\n\n"
    try:
        yield from map(_event, events.begin())
        for piece in pieces:
            if piece is not None:
                yield from map(_event, events.piece(piece))
                sent_at = time.monotonic()
            elif client_has_left(environ):
                return
            elif time.monotonic() - sent_at > PING_SECONDS:
                yield ": ping\n\n"
                sent_at = time.monotonic()
        yield from map(_event, events.end())
    except Exception as error:  # noqa: BLE001 - the status is sent; an event is all that is left
        yield from map(_event, events.failure(error))
    finally:
        cancel_all(answers)


def _event(data: str) -> str:
    return f"data: {data}\n\n"
