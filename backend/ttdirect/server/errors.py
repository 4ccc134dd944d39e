"""Every error a client can get: a status and one clear sentence as `{"error": ...}`."""

from __future__ import annotations

import logging
import re

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from ttdirect.engine import (
    DeadlineError,
    EngineError,
    NotReadyError,
    PromptRefusedError,
    PromptTooLongError,
    QueueFullError,
    printable,
)

log = logging.getLogger("ttdirect.requests")

CLIENT_LEFT = 499
"""nginx's status for a client that hung up; nobody is there to read it."""


_FOLDERS = re.compile(r"(?<![\w/:])(?:/[^/\s]+)+/")


class ApiError(Exception):
    """A request that cannot be answered as asked.

    Args:
        status: the HTTP status.
        message: one sentence for the client.
        retry_after: seconds after which another try makes sense.
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class ClientLeftError(Exception):
    """The client hung up, so nobody waits for the answer any more."""


_STATUS_OF_ENGINE_ERRORS: tuple[tuple[type[EngineError], int], ...] = (
    (QueueFullError, 503),
    (NotReadyError, 503),
    (PromptTooLongError, 400),
    (PromptRefusedError, 400),
    (DeadlineError, 504),
    (EngineError, 500),
)


def as_api_error(error: Exception) -> ApiError:
    """The status and the sentence that an exception means to a client."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ClientLeftError):
        return ApiError(CLIENT_LEFT, "The client hung up.")
    for kind, status in _STATUS_OF_ENGINE_ERRORS:
        if isinstance(error, kind):
            return ApiError(status, for_clients(str(error)), getattr(error, "retry_after", None))
    log.error("a request failed", exc_info=error)
    return ApiError(500, "Something went wrong inside the server; its log says what.")


def register_error_answers(app: Flask) -> None:
    """Answer every error of the app as `{"error": "one clear sentence"}`."""

    def answer_http_error(error: HTTPException) -> Response:
        return _answer(ApiError(error.code or 500, _sentence(app, error)), error)

    def answer_exception(error: Exception) -> Response:
        return _answer(as_api_error(error))

    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_exception)


def _answer(error: ApiError, cause: HTTPException | None = None) -> Response:
    response = jsonify(error=str(error))
    if cause is not None:  # keep what HTTP asks for, such as Allow with a 405
        for name, value in cause.get_headers(request.environ):
            if name.lower() not in ("content-type", "content-length"):
                response.headers[name] = value
    response.status_code = error.status
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    # What a client sent must not draw in the terminal, nor forge a line of it.
    asked = printable(f"{request.method[:20]} {request.path[:80]}")
    log.info("%s -> %d  %s", asked, error.status, printable(str(error)))
    return response


def _sentence(app: Flask, error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return f"There is no such route here. This server answers: {', '.join(_endpoints(app))}."
    if isinstance(error, MethodNotAllowed):
        allowed = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return f"This route answers {' or '.join(allowed)}, not {request.method[:20]}."
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length or 0
        return f"The body is too large: at most {limit // 1024} KiB are read."
    return error.description or error.name


def _endpoints(app: Flask) -> list[str]:
    rules = (rule for rule in app.url_map.iter_rules() if rule.endpoint != "static")
    return sorted(
        f"{method} {rule.rule}"
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    )


def for_clients(text: str) -> str:
    """What of an error's text concerns clients: no backtrace, and no folders of this machine."""
    first_line = text.strip().partition("\n")[0]
    return printable(_FOLDERS.sub("", first_line))
