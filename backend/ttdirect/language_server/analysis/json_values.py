"""JSON with the place of every part, whether it stands in JSON text or in a Python dictionary."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ttdirect.language_server.analysis.expressions import UNKNOWN, Expression
from ttdirect.language_server.analysis.grammars import parse

if TYPE_CHECKING:
    from tree_sitter import Node

    from ttdirect.language_server.analysis.source import Source, Span

Kind = Literal["object", "array", "string", "number", "boolean", "null", "unknown"]

_KINDS: dict[str, Kind] = {
    "object": "object",
    "array": "array",
    "string": "string",
    "number": "number",
    "true": "boolean",
    "false": "boolean",
    "null": "null",
    "dictionary": "object",
    "list": "array",
    "tuple": "array",
}
_SCALARS: tuple[tuple[type, Kind], ...] = (
    (bool, "boolean"),  # before int, of which it is one
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (type(None), "null"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object.

    Args:
        key: the key.
        key_span: where it stands, quotes included.
        value: its value; None while it is missing.
        span: the whole pair.
    """

    key: str
    key_span: Span
    value: JsonValue | None
    span: Span


@dataclass(frozen=True, slots=True)
class JsonValue:
    """A value.

    Args:
        kind: what it is; "unknown" for a Python expression that the text does not tell.
        span: where it stands.
        value: a scalar's value, else UNKNOWN.
        members: an object's.
        items: an array's.
        is_whole: whether nothing of it is broken or unknown: a missing member is really missing.
    """

    kind: Kind
    span: Span
    value: Any = UNKNOWN
    members: tuple[Member, ...] = ()
    items: tuple[JsonValue, ...] = ()
    is_whole: bool = True

    def member(self, key: str) -> Member | None:
        """The member with a key."""
        return next((it for it in self.members if it.key == key), None)

    def as_python(self) -> Any:
        """The value in Python's terms; what is not known is None."""
        if self.kind == "object":
            return {it.key: it.value.as_python() if it.value else None for it in self.members}
        if self.kind == "array":
            return [it.as_python() for it in self.items]
        return None if self.value is UNKNOWN else self.value


def read_json(source: Source) -> JsonValue | None:
    """The value in a JSON text; comments pass, and broken text is read as far as it goes."""
    root = parse("json", source)
    for child in [root] if root.type == "ERROR" else root.named_children:
        if child.type in _KINDS:
            return _of_json(child, source)
        if child.type == "ERROR":  # an object that is still being written
            pairs = [it for it in child.named_children if it.type == "pair"]
            members = tuple(_member(it, source) for it in pairs)
            return JsonValue("object", source.span(child), members=members, is_whole=False)
    return None


def _of_json(node: Node, source: Source) -> JsonValue:
    kind, span = _KINDS.get(node.type, "unknown"), source.span(node)
    children = [it for it in node.named_children if it.type != "comment"]
    if kind == "object":
        pairs = tuple(_member(it, source) for it in children if it.type == "pair")
        return JsonValue(kind, span, members=pairs, is_whole=not node.has_error)
    if kind == "array":
        items = tuple(_of_json(it, source) for it in children if it.type in _KINDS)
        return JsonValue(kind, span, items=items, is_whole=not node.has_error)
    return JsonValue(kind, span, value=_scalar(source.of(node)))


def _member(node: Node, source: Source) -> Member:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    key = key or node
    name = _scalar(source.of(key))
    return Member(
        name if isinstance(name, str) else "",
        source.span(key),
        None if value is None or value.type not in _KINDS else _of_json(value, source),
        source.span(node),
    )


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return UNKNOWN


def of_python(expression: Expression) -> JsonValue:
    """A Python expression as the JSON that `json.dumps` would make of it."""
    node, scope, names = expression.node, expression.scope, expression.names
    kind, span = _KINDS.get(node.type, "unknown"), expression.span
    if kind == "object":
        pairs = [it for it in node.named_children if it.type == "pair"]
        members = [_python_member(it, expression) for it in pairs]
        is_whole = len(members) == len([it for it in node.named_children if it.type != "comment"])
        known = tuple(it for it in members if it is not None)
        is_whole = is_whole and len(known) == len(members) and not node.has_error
        return JsonValue(kind, span, members=known, is_whole=is_whole)
    if kind == "array":
        items = [it for it in node.named_children if it.type != "comment"]
        values = tuple(of_python(Expression(it, scope, names)) for it in items)
        return JsonValue(kind, span, items=values)
    value = expression.value
    for python_type, scalar in _SCALARS:
        if isinstance(value, python_type):
            return JsonValue(scalar, span, value=value)
    return JsonValue("unknown", span)


def _python_member(node: Node, owner: Expression) -> Member | None:
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    if key is None:
        return None
    name = Expression(key, owner.scope, owner.names)
    if not isinstance(name.value, str):
        return None
    content = None if value is None else of_python(Expression(value, owner.scope, owner.names))
    return Member(name.value, name.span, content, owner.names.source.span(node))
