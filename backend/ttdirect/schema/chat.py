"""The fields of a request to `/chat` and `/chat/stream`: one table, and its JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

MAX_STOPS = 16
INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the request's JSON.

    Args:
        name: its key.
        kind: what it has to be.
        what: what it is for, in a sentence for people.
        low: smallest value; with `open_low` it is just not allowed itself.
        high: largest value.
        open_low: whether the value has to be above `low`.
        required: whether a request without it is a mistake.
        default: what counts when it is left out; None for nothing.
    """

    name: str
    kind: Literal["text", "integer", "number", "stops"]
    what: str
    low: float = 0
    high: float = 0
    open_low: bool = False
    required: bool = False
    default: float | None = None

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
    Field("prompt", "text", "What the user says.", required=True),
    Field("max_tokens", "integer", "The longest answer, in tokens.", low=1, high=2048, default=128),
    Field(
        "temperature",
        "number",
        "0.0 takes the most likely token each time; 2.0 is wild.",
        low=0.0,
        high=2.0,
        default=0.0,
    ),
    Field("system", "text", "How the model should behave, if it was trained to heed that."),
    Field(
        "top_p",
        "number",
        "Keep the most likely tokens that together have this probability.",
        low=0.0,
        high=1.0,
        open_low=True,
        default=1.0,
    ),
    Field(
        "top_k",
        "integer",
        "Keep this many of the most likely tokens; 0 keeps all.",
        low=0,
        high=1_000_000,
        default=0,
    ),
    Field("seed", "integer", "The same seed gives the same text.", low=-INT64, high=INT64 - 1),
    Field("stop", "stops", "Text that ends the answer and is no part of it."),
)


def chat_request_schema() -> dict[str, Any]:
    """The request's body as JSON Schema; null is as good as leaving an optional field out."""
    return {
        "type": "object",
        "required": [field.name for field in CHAT_FIELDS if field.required],
        "properties": {field.name: _field_schema(field) for field in CHAT_FIELDS},
        "additionalProperties": False,
    }


def _field_schema(field: Field) -> dict[str, Any]:
    null = [] if field.required else ["null"]
    schema: dict[str, Any] = {"description": field.what}
    if field.default is not None:
        schema["default"] = field.default
    if field.kind == "stops":
        stop = {"type": "string", "minLength": 1}
        stops = {"type": "array", "minItems": 1, "maxItems": MAX_STOPS, "items": stop}
        return {"anyOf": [stop, stops, {"type": "null"}], **schema}
    if field.kind == "text":
        if field.required:
            schema["pattern"] = "[^ \\t\\r\\n]"  # not empty
        return {"type": ["string", *null], **schema}
    low = "exclusiveMinimum" if field.open_low else "minimum"
    return {"type": [field.kind, *null], low: field.low, "maximum": field.high, **schema}
