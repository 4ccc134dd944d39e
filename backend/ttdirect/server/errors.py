"""Every error a client can get: a status and one clear sentence.

The lesson's routes answer `{"error": "sentence"}`; those under `/v1`, and vLLM's `/tokenize` and
`/detokenize`, answer as OpenAI's API does.
"""

from __future__ import annotations

import logging
import re
from typing import Any

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
        param: the field that is wrong, such as `messages[0].content`.
        code: a stable name for the kind of error, for programs.
    """

    def __init__(
        self,
        status: int,
        message: str,
        retry_after: int | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.param = param
        self.code = code


class ClientLeftError(Exception):
    """The client hung up, so nobody waits for the answer any more."""


QUEUE_FULL = "queue_full"

_ENGINE_ERRORS: tuple[tuple[type[EngineError], int, str | None], ...] = (
    (QueueFullError, 503, QUEUE_FULL),
    (NotReadyError, 503, "not_ready"),
    (PromptTooLongError, 400, "context_length_exceeded"),
    (PromptRefusedError, 400, None),
    (DeadlineError, 504, "deadline_exceeded"),
    (EngineError, 500, None),
)
"""The status and the code of each; the first that fits counts."""

_OPENAI_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}


def as_api_error(error: Exception) -> ApiError:
    """The status and the sentence that an exception means to a client."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ClientLeftError):
        return ApiError(CLIENT_LEFT, "The client hung up.")
    for kind, status, code in _ENGINE_ERRORS:
        if isinstance(error, kind):
            retry_after = getattr(error, "retry_after", None)
            return ApiError(status, for_clients(str(error)), retry_after, code=code)
    log.error("a request failed", exc_info=error)
    return ApiError(500, "Something went wrong inside the server; its log says what.")


def speaks_openai(path: str) -> bool:
    """Whether a route's clients expect OpenAI's errors: under `/v1`, and vLLM's two beside it."""
    return path in ("/v1", "/tokenize", "/detokenize") or path.startswith("/v1/")


def openai_error(error: ApiError) -> dict[str, Any]:
    """The body of an error in OpenAI's shape."""
    kind = _OPENAI_TYPES.get(error.status)
    if kind is None:
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
    if error.code == QUEUE_FULL:
        kind = "overloaded"
    return {
        "error": {
            "message": str(error),
            "type": kind,
            "param": error.param,
            "code": error.code or _OPENAI_CODES.get(error.status),
        }
    }


def register_error_answers(app: Flask) -> None:
    """Answer every error of the app with one clear sentence, in the shape of its route."""

    def answer_http_error(error: HTTPException) -> Response:
        return _answer(ApiError(error.code or 500, _sentence(app, error)), error)

    def answer_exception(error: Exception) -> Response:
        return _answer(as_api_error(error))

    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_exception)


def _answer(error: ApiError, cause: HTTPException | None = None) -> Response:
    is_openai = speaks_openai(request.path)
    response = jsonify(openai_error(error) if is_openai else {"error": str(error)})
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
    sentence = printable(str(error))
    fields = {"event": "refused", "asked": asked, "status": error.status, "error": sentence}
    log.info("%s -> %d  %s", asked, error.status, sentence, extra={"fields": fields})
    return response


def _sentence(app: Flask, error: HTTPException) -> str:
    if isinstance(error, NotFound):
        return f"There is no such route here. This server answers: {', '.join(endpoints(app))}."
    if isinstance(error, MethodNotAllowed):
        allowed = sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"})
        return f"This route answers {' or '.join(allowed)}, not {request.method[:20]}."
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length or 0
        return f"The body is too large: at most {limit // 1024} KiB are read."
    return error.description or error.name


def endpoints(app: Flask) -> list[str]:
    """The app's routes, each as "GET /health"."""
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
