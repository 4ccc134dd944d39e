"""What stands under the cursor, and the signature of the call that the cursor is in."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.assist.api import Entry, entry_of
from ttdirect.language_server.rules.bodies import meaning
from ttdirect.language_server.rules.catalogue import RULES
from ttdirect.language_server.rules.fields import checked_requests
from ttdirect.schema.routes import Schema, describe, request_schema, resolved

if TYPE_CHECKING:
    from tree_sitter import Node

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.json_values import JsonValue
    from ttdirect.language_server.analysis.python import PythonFacts
    from ttdirect.language_server.analysis.scopes import Scope

_CODE = re.compile(r"\bTT\d{3}\b")
_LONGEST_CALL = 4000
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Hover(NamedTuple):
    """A text in Markdown and what it is about."""

    text: str
    span: Span


class Signature(NamedTuple):
    """A signature and which of its parameters the cursor is at; None for none of them."""

    entry: Entry
    active: int | None


def hover_at(document: Document, offset: int) -> Hover | None:
    """What to say about the place of the cursor, if anything."""
    return _of_code(document, offset) or _of_field(document, offset) or _of_name(document, offset)


def _of_code(document: Document, offset: int) -> Hover | None:
    line = document.lines.line_of(offset)
    start, text = document.lines.start_of(line), document.lines.line_text(line)
    for match in _CODE.finditer(text):
        span = Span(start + match.start(), start + match.end())
        rule = next((it for it in RULES if it.code == match[0]), None)
        if rule is not None and span.holds(offset):
            return Hover(f"**{rule.code}** {rule.name}\n\n{rule.why}", span)
    return None


def _of_field(document: Document, offset: int) -> Hover | None:
    for request in checked_requests(document):
        schema = request_schema(request.url.path)
        if request.body is not None and schema is not None and request.body.span.holds(offset):
            return _in_body(request.body, schema, offset)
    return None


def _in_body(value: JsonValue, schema: Schema, offset: int) -> Hover | None:
    schema = resolved(schema)
    for member in value.members:
        field = schema.get("properties", {}).get(member.key)
        if field is None or not member.span.holds(offset):
            continue
        if member.key_span.holds(offset):
            return Hover(field_text(member.key, field, schema), member.key_span)
        if member.value is not None:
            return _in_body(member.value, field, offset)
    for item in value.items:
        if item.span.holds(offset):
            return _in_body(item, schema.get("items", {}), offset)
    return None


def field_text(name: str, field: Schema, owner: Schema) -> str:
    """What a field of a request is for and what it may hold, in Markdown."""
    is_required = name in owner.get("required", [])
    facts = f"{meaning(field)}{'; it has to be there' if is_required else ''}"
    if field.get("default") is not None:
        facts += f"; {field['default']} when it is left out"
    what = describe(name, resolved(field) if "$ref" in field else field)
    return f"**{name}**: {facts}." + (f"\n\n{what}" if what else "")


def _of_name(document: Document, offset: int) -> Hover | None:
    facts = document.python
    if facts is None:
        return None
    byte = facts.source.byte(offset)
    node = facts.root.descendant_for_byte_range(byte, byte)
    if node is not None and node.type != "identifier" and byte > 0:
        node = facts.root.descendant_for_byte_range(byte - 1, byte - 1)
    if node is None or node.type != "identifier":
        return None
    span, parent = facts.source.span(node), node.parent
    if parent is not None and parent.type == "keyword_argument" and parent.child(0) == node:
        return _of_argument(facts, node, span)
    if (
        parent is not None
        and parent.type == "attribute"
        and parent.child_by_field_name("attribute") == node
    ):
        node = parent
    entry = entry_of(facts.names.symbols(node, scope_at(facts, offset)))
    if entry is None:
        return None
    return Hover(f"```python\n{_wrapped(entry)}\n```\n\n{entry.text}", span)


def _of_argument(facts: PythonFacts, node: Node, span: Span) -> Hover | None:
    for call in reversed(facts.calls):  # the innermost one stands last
        if call.arguments_span.holds(span.start) and facts.source.of(node) in call.keywords:
            entry = entry_of(call.callee.symbols)
            name = facts.source.of(node)
            if entry is not None and name in entry.arguments:
                return Hover(f"**{name}**: {entry.arguments[name]}", span)
    return None


def _wrapped(entry: Entry) -> str:
    """The signature, a parameter to a line where it is long."""
    if len(entry.signature) <= 80:
        return entry.signature
    arrow = f" -> {entry.returns}" if entry.returns and not entry.is_class else ""
    return f"{entry.name}(\n    " + ",\n    ".join(entry.parameters) + f",\n){arrow}"


def scope_at(facts: PythonFacts, offset: int) -> Scope:
    """The scope of the innermost function around a place."""
    around = [it for it in facts.functions.values() if it.span.holds(offset)]
    return max(around, key=lambda it: it.span.start).scope if around else facts.module


def signature_at(document: Document, offset: int, good: Document | None) -> Signature | None:
    """The signature of the call whose brackets the cursor is in.

    The text alone says which call that is, as while somebody types it is seldom whole.

    Args:
        document: the document as it is.
        offset: the cursor.
        good: its last state that was not broken, which may know more names.
    """
    call = _open_call(document.text, offset) if document.kind == "python" else None
    if call is None:
        return None
    callee, arguments = call
    for state in (document, good):
        facts = None if state is None else state.python
        if facts is None:
            continue
        first, _, rest = callee.partition(".")
        scope = scope_at(facts, min(offset, len(facts.source.text)))
        entry = entry_of(_dotted(facts, first, rest, scope))
        if entry is not None:
            return Signature(entry, _active(entry, arguments))
    return None


def _dotted(facts: PythonFacts, first: str, rest: str, scope: Scope) -> frozenset[str]:
    base = facts.names.symbols_of_name(first, scope)
    return frozenset(f"{it}.{rest}" for it in base) if rest else base


def _open_call(text: str, offset: int) -> tuple[str, list[str]] | None:
    """The call that is open at a place: what is called, and the text of its arguments so far."""
    depth: list[str] = []
    start = max(0, offset - _LONGEST_CALL)
    commas: list[int] = []
    position = offset
    while position > start:
        position -= 1
        character = text[position]
        if character in _PAIRS:
            depth.append(_PAIRS[character])
        elif character in "([{":
            if not depth:
                callee = re.search(r"([A-Za-z_][\w.]*)\s*$", text[start:position])
                if character != "(" or callee is None:
                    return None
                ends = [position, *reversed(commas), offset]
                parts = [text[a + 1 : b] for a, b in itertools.pairwise(ends)]
                return callee[1], parts
            if depth[-1] == character:
                depth.pop()
        elif character == "," and not depth:
            commas.append(position)
        elif character == "\n" and re.match(
            r"(def|class|@|import|from)\b", text[position + 1 : position + 8]
        ):
            return None
    return None


def _active(entry: Entry, arguments: list[str]) -> int | None:
    names = [it.lstrip("*").partition(":")[0].partition("=")[0].strip() for it in entry.parameters]
    keyword = re.match(r"\s*(\w+)\s*=", arguments[-1])
    if keyword:
        return names.index(keyword[1]) if keyword[1] in names else None
    position = len(arguments) - 1
    by_name = entry.parameters.index("*") if "*" in entry.parameters else len(entry.parameters)
    return position if position < by_name else None
