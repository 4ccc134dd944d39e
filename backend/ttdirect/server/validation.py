"""Requests as pydantic models, and what is wrong with one in a single sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from ttdirect.engine import printable
from ttdirect.schema.chat import INT64
from ttdirect.server.body import cut, shown
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

_Model = TypeVar("_Model", bound=BaseModel)

_WRONG = "ttdirect_wrong"

_MEANINGS = {
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "{expected}",
    "too_short": "a list of at least {min_length}",
    "string_too_short": "a string of {min_length} characters or more",
    "string_too_long": "a string of at most {max_length} characters",
}
"""What has to stand there instead, by the type of pydantic's error."""


def wrong(meaning: str) -> NoReturn:
    """Say inside of a validator what the value has to be: "a list of 1 to 16 strings".

    Raises:
        PydanticCustomError: always.
    """
    raise PydanticCustomError(_WRONG, "{meaning}", {"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a field takes, as `Annotated[float, Range(0.0, 2.0)]`.

    JSON has one kind of number, so 5.0 is good for an `int`; true is none.

    Args:
        low: smallest value; with `open_low` it is just not allowed itself.
        high: largest value; None for any.
        open_low: whether the value has to be above `low`.
    """

    low: float
    high: float | None = None
    open_low: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        check = self._whole if source is int else self._number
        return core_schema.no_info_before_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = handler(schema)
        described["exclusiveMinimum" if self.open_low else "minimum"] = self.low
        if self.high is not None:
            described["maximum"] = self.high
        return described

    def _number(self, value: Any) -> float:
        # bool is an int in Python, but true is no number in JSON; NaN fits no range.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self._holds(value):
            wrong(self._meaning("a number"))
        return value

    def _whole(self, value: Any) -> int:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not self._holds(value) or value != int(value):
            wrong(self._meaning("a whole number"))
        return int(value)

    def _holds(self, value: float) -> bool:
        is_low = value <= self.low if self.open_low else not value >= self.low
        is_high = value > self.high if self.high is not None else value == float("inf")
        return not is_low and not is_high

    def _meaning(self, noun: str) -> str:
        if self.high is None:
            return f"{noun} of {self.low} or more"
        if self.open_low:
            return f"{noun} above {self.low:g} and at most {self.high:g}"
        if self.high >= INT64 - 1:
            return f"{noun} of at most 64 bits"
        return f"{noun} from {self.low:g} to {self.high:g}"


def checked(model: type[_Model], body: dict[str, Any]) -> _Model:
    """The body of a request as a model; a field that is null counts as not given.

    Raises:
        ApiError: 400 with one sentence about the first thing that is wrong.
    """
    try:
        return model.model_validate({key: it for key, it in body.items() if it is not None})
    except ValidationError as error:
        raise _first_of(error) from None


def _first_of(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False)[0]
    # A client's own key may stand in the path.
    path = cut(printable(_path(first["loc"])))
    kind, context = first["type"], first.get("ctx", {})
    if kind == "missing":
        return ApiError(400, f"The field '{path}' is missing.", param=path)
    if kind == "string_unicode":
        sentence = f"'{path}' holds half of a surrogate pair, which is not valid Unicode."
        return ApiError(400, sentence, param=path)
    if kind == _WRONG:
        meaning = context["meaning"]
    else:
        meaning = _MEANINGS.get(kind, "something else").format(**context)
    sentence = f"'{path}' must be {meaning}, not {shown(first['input'])}."
    return ApiError(400, sentence, param=path)


def _path(location: tuple[int | str, ...]) -> str:
    """`messages[0].content` for ("messages", 0, "content")."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path
