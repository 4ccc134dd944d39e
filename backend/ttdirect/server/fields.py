"""The checks of a chat request's fields, which come from the table in `schema.chat`.

Client mistakes end here with a sentence that names the field; nothing unchecked goes further.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ttdirect.engine import printable
from ttdirect.schema.chat import CHAT_FIELDS, MAX_STOPS, Field
from ttdirect.server.body import cut, read_json_object, shown
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from flask import Request as HttpRequest


def chat_fields(http_request: HttpRequest) -> dict[str, Any]:
    """The checked fields of a chat request; optional ones that are missing or null are left out.

    Raises:
        ApiError: 415 for another content type than JSON, 400 for everything else.
    """
    body = read_json_object(http_request)
    known = {field.name: field for field in CHAT_FIELDS}
    for name in body:
        if name not in known:
            _unknown(name, list(known))
    fields: dict[str, Any] = {}
    for field in CHAT_FIELDS:
        value = body.get(field.name)
        if value is None and not field.required:
            continue
        if field.name not in body:
            raise ApiError(400, f"The field '{field.name}' is missing.")
        fields[field.name] = _checked(field, value)
    # These four alone: what else counts as a space, every language of the web sees differently.
    if not fields["prompt"].strip(" \t\r\n"):
        raise ApiError(400, "The field 'prompt' is empty.")
    return fields


def _checked(field: Field, value: Any) -> Any:
    if field.kind == "text":
        return _text(field, value)
    if field.kind == "stops":
        return _stops(field, value)
    # bool is an int in Python, but true is no number in JSON.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _wrong(field, value)
    if field.kind == "integer" and isinstance(value, float):
        if not value.is_integer():
            _wrong(field, value)
        value = int(value)
    if not field.low <= value <= field.high or (field.open_low and value == field.low):
        _wrong(field, value)
    return value


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        _wrong(field, value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ApiError(
            400, f"'{field.name}' holds half of a surrogate pair, which is not valid Unicode."
        ) from None
    return value


def _stops(field: Field, value: Any) -> tuple[str, ...]:
    stops = cast("list[Any]", value) if isinstance(value, list) else [value]
    if not 1 <= len(stops) <= MAX_STOPS:
        _wrong(field, value)
    for stop in stops:
        if not isinstance(stop, str) or not stop:
            _wrong(field, value)
        _text(field, stop)
    return tuple(stops)


def _wrong(field: Field, value: Any) -> NoReturn:
    raise ApiError(400, f"'{field.name}' must be {field.meaning}, not {shown(value)}.")


def _unknown(name: str, known: list[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known fields: {', '.join(known)}."
    raise ApiError(400, f"There is no field '{cut(printable(name))}'. {hint}")
