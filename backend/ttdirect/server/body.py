"""The JSON body of a request: reading it, and showing what stood in it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn, cast

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from ttdirect.engine import printable
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from flask import Request as HttpRequest


def read_json_object(http_request: HttpRequest, needs: str = "prompt") -> dict[str, Any]:
    """The JSON object that a request carries.

    Args:
        http_request: what Flask gives.
        needs: the field that such an object has to have, for the sentence.

    Raises:
        ApiError: 415 for another content type than JSON, 400 for what is no JSON object, 408 for
            a body that stopped halfway.
        RequestEntityTooLarge: there is more than this server reads.
    """
    if not http_request.is_json:
        sent = printable(http_request.mimetype) or "none"
        raise ApiError(
            415, f"Send JSON with the header Content-Type: application/json (it was: {cut(sent)})."
        )
    if http_request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ApiError(415, "Send the JSON as it is, without a Content-Encoding.")
    sent_body = _read(http_request)
    try:
        body = json.loads(sent_body, parse_constant=_no_constant)
    except RecursionError:
        raise ApiError(400, "The body's JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise ApiError(400, "The body is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ApiError(
            400,
            f"The body is not valid JSON: {error.msg}, line {error.lineno} column {error.colno}.",
        ) from None
    except ValueError:  # a number of thousands of digits, or NaN and Infinity
        raise ApiError(400, "The body is not valid JSON: it holds an impossible number.") from None
    if not isinstance(body, dict):
        raise ApiError(
            400, f"The body must be a JSON object with the field '{needs}', not {shown(body)}."
        )
    return cast("dict[str, Any]", body)


def _read(http_request: HttpRequest) -> bytes:
    try:
        body = http_request.get_data()
    except (ParseException, ClientDisconnected) as error:  # broken chunks, broken connections
        if isinstance(error.__context__, BlockingIOError):
            raise ApiError(408, "The body did not arrive in time.") from None
        raise ApiError(400, "The body is not as its headers announce it.") from None
    announced, limit = http_request.content_length, http_request.max_content_length
    if announced is not None and len(body) < announced:
        raise ApiError(400, "The body is not as its headers announce it.")
    if announced is None and limit is not None and len(body) >= limit:
        raise RequestEntityTooLarge  # where no length is announced, werkzeug just stops reading
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def shown(value: Any) -> str:
    """The value as the client wrote it, cut short: an answer never echoes a whole body."""
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, float) and not math.isfinite(value):
        return "an infinite number"
    return cut(json.dumps(value))


def cut(text: str) -> str:
    """The text, at most 40 characters of it."""
    return text if len(text) <= 40 else text[:37] + "..."
