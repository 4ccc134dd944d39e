"""Waiting for an answer without forgetting who waits for it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from flask import has_request_context, request

from ttdirect.server.errors import ClientLeftError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ttdirect.engine import Completion


def wait_for(answer: Completion) -> None:
    """Wait until the answer is complete; give its slot back if the client hangs up.

    Outside of a request, in a test or a notebook, it just waits.

    Raises:
        ClientLeftError: the client hung up first.
        EngineError: the answer did not come about.
    """
    environ = request.environ if has_request_context() else {}
    for _ in answer.pieces():
        if client_has_left(environ):
            answer.cancel()
            raise ClientLeftError


def cancel_all(answers: Iterable[Completion]) -> None:
    """Give back the slots of those answers that are not complete."""
    for answer in answers:
        answer.cancel()


def client_has_left(environ: dict[str, Any]) -> bool:
    """Whether the connection of a WSGI request is closed on the client's side.

    WSGI cannot tell (pallets/flask issue 2702), but gunicorn shows the socket: one that is at
    its end reads as empty, one that is open and quiet would block. Behind TLS or another server
    nothing can be seen, and the answer is "no".
    """
    connection = environ.get("gunicorn.socket")
    if type(connection) is not socket.socket:
        return False
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
