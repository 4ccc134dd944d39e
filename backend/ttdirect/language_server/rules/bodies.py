"""Compares JSON with a JSON Schema, and says what differs in the server's own words.

Only what our schemas use is understood; anything else is let pass.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.rules.finding import Edit, Fix
from ttdirect.schema.routes import Schema, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.json_values import JsonValue

Problem = Literal["unknown", "wrong", "missing"]

_NOUNS = {
    "string": "a string",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


class Difference(NamedTuple):
    """One thing that the schema does not allow."""

    kind: Problem
    span: Span
    message: str
    fixes: tuple[Fix, ...] = ()
    field: str = ""
    """Of an unknown field: its name."""


def differences(value: JsonValue, schema: Schema, path: str = "") -> Iterator[Difference]:
    """What a value has that its schema does not allow, or lacks that it asks for.

    Args:
        value: the JSON.
        schema: what it should be.
        path: the name of the value, such as `messages[0].role`; empty for the whole body.
    """
    schema = resolved(schema)
    if value.kind == "unknown":
        return
    if value.kind == "object" and "properties" in schema:
        yield from _in_object(value, schema, path)
    elif value.kind == "array" and _takes(value, schema) and "items" in schema:
        for position, item in enumerate(value.items):
            yield from differences(item, schema["items"], f"{path}[{position}]")
    elif not _takes(value, schema):
        place = path or "The body"
        subject = f"'{place}'" if path else place
        message = f"{subject} must be {meaning(schema)}, not {_shown(value)}."
        yield Difference("wrong", value.span, message, _nearest(value, schema))


def _in_object(value: JsonValue, schema: Schema, path: str) -> Iterator[Difference]:
    properties: dict[str, Schema] = schema["properties"]
    inside = f"{path}." if path else ""
    for member in value.members:
        if member.key in properties:
            if member.value is not None and not _is_left_out(member.value, schema, member.key):
                yield from differences(member.value, properties[member.key], inside + member.key)
            continue
        near = difflib.get_close_matches(member.key, properties, n=1)
        is_closed = schema.get("additionalProperties") is False
        # Where the server lets others pass, only a slip of the pen is worth a word.
        if not is_closed and (not near or near[0] in {it.key for it in value.members}):
            continue
        hint = f"Did you mean '{near[0]}'?" if near else f"Known fields: {', '.join(properties)}."
        edit = Edit(
            Span(member.key_span.start + 1, member.key_span.end - 1), near[0] if near else ""
        )
        fixes = (Fix(f"Change to '{near[0]}'", (edit,)),) if near else ()
        message = f"There is no field '{inside}{member.key}'. {hint}"
        yield Difference("unknown", member.key_span, message, fixes, member.key)
    if not value.is_whole:
        return
    for name in schema.get("required", []):
        if value.member(name) is None:
            # A mistyped name is one mistake, not two.
            typos = difflib.get_close_matches(name, [it.key for it in value.members], n=1)
            if not typos or typos[0] in properties:
                start = Span(value.span.start, value.span.start + 1)
                yield Difference("missing", start, f"The field '{inside}{name}' is missing.")


def _is_left_out(value: JsonValue, schema: Schema, key: str) -> bool:
    """Null counts as not given, wherever the field may be left out."""
    return value.kind == "null" and key not in schema.get("required", [])


def _takes(value: JsonValue, schema: Schema) -> bool:
    schema = resolved(schema)
    parts: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    if schema not in parts and not any(_takes(value, it) for it in parts):
        return False
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if allowed is not None and value.as_python() not in allowed:
        return False
    types = _types(schema)
    if types and not any(_is_type(value, it) for it in types):
        return False
    if value.kind == "number":
        return _in_range(value.value, schema)
    if value.kind == "string":
        return len(value.value) >= schema.get("minLength", 0) and _says_something(value, schema)
    return value.kind != "array" or not value.is_whole or _takes_items(value, schema)


def _takes_items(value: JsonValue, schema: Schema) -> bool:
    size = len(value.items)
    if not schema.get("minItems", 0) <= size <= schema.get("maxItems", size):
        return False
    inner = resolved(schema.get("items", {}))
    # What is wrong inside of objects is told there.
    return "properties" in inner or all(
        it.kind == "unknown" or _takes(it, inner) for it in value.items
    )


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _says_something(value: JsonValue, schema: Schema) -> bool:
    return "pattern" not in schema or bool(value.value.strip(" \t\r\n"))


def _is_type(value: JsonValue, name: str) -> bool:
    if name == "integer":
        return value.kind == "number" and float(value.value).is_integer()
    return value.kind == name


def _in_range(number: float, schema: Schema) -> bool:
    if "exclusiveMinimum" in schema and number <= schema["exclusiveMinimum"]:
        return False
    return schema.get("minimum", number) <= number <= schema.get("maximum", number)


def meaning(schema: Schema) -> str:
    """What a value has to be, in words."""
    schema = resolved(schema)
    if "enum" in schema or "const" in schema:
        return " or ".join(json.dumps(it) for it in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        parts = [meaning(it) for it in schema["anyOf"] if resolved(it).get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    names = [it for it in _types(schema) if it != "null"]
    noun = " or ".join(_NOUNS[it] for it in names) or "anything"
    if schema.get("minLength") or schema.get("minItems") or "pattern" in schema:
        return f"{noun} that is not empty"
    return f"{noun}{_range_in_words(schema)}"


def _range_in_words(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema.get("exclusiveMinimum") is not None:
        return f" above {schema['exclusiveMinimum']:g} and at most {high:g}"
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return "" if low is None else f" of {low} or more"


def _nearest(value: JsonValue, schema: Schema) -> tuple[Fix, ...]:
    """A number in range, a number without its quotes, and the like."""
    names = _types(schema)
    number = value.value
    if value.kind == "string" and {"integer", "number"} & set(names):
        try:
            number = int(value.value) if "integer" in names else float(value.value)
        except ValueError:
            return ()
    elif value.kind != "number" or not names:
        return ()
    if "integer" in names:
        number = int(number)
    number = min(max(number, schema.get("minimum", number)), schema.get("maximum", number))
    if not _in_range(number, schema):
        return ()
    text = json.dumps(number)
    return (Fix(f"Use {text}", (Edit(value.span, text),)),)


def _shown(value: JsonValue) -> str:
    if value.kind in ("object", "array"):
        return _NOUNS[value.kind]
    text = json.dumps(value.value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
