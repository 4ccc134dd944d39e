"""The fields of a chat request: one table, and the checks that come from it.

Client mistakes end here with a sentence that names the field; nothing unchecked goes further.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from ttdirect.engine import printable
from ttdirect.server.body import cut, read_json_object, shown
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from flask import Request as HttpRequest

MAX_STOPS = 16
INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the request's JSON.

    Args:
        name: its key.
        kind: what it has to be.
        low: smallest value; with `open_low` it is just not allowed itself.
        high: largest value.
        open_low: whether the value has to be above `low`.
        required: whether a request without it is a mistake.
    """

    name: str
    kind: Literal["text", "integer", "number", "stops"]
    low: float = 0
    high: float = 0
    open_low: bool = False
    required: bool = False

    @property
    def meaning(self) -> str:
        """What the field has to be, in words."""
        if self.kind == "text":
            return "a string"
        if self.kind == "stops":
            return f"a string or a list of 1 to {MAX_STOPS} strings, none of them empty"
        noun = "a whole number" if self.kind == "integer" else "a number"
        if self.open_low:
            return f"{noun} above {self.low} and at most {self.high}"
        return f"{noun} from {self.low} to {self.high}"


CHAT_FIELDS = (
    Field("prompt", "text", required=True),
    Field("max_tokens", "integer", low=1, high=2048),
    Field("temperature", "number", low=0.0, high=2.0),
    Field("system", "text"),
    Field("top_p", "number", low=0.0, high=1.0, open_low=True),
    Field("top_k", "integer", low=0, high=1_000_000),
    Field("seed", "integer", low=-INT64, high=INT64 - 1),
    Field("stop", "stops"),
)


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
