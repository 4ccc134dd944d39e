"""Completion of the JSON that a request sends, while it is being written.

Only the text in front of the cursor counts: what is half written has no good syntax tree.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ttdirect.language_server.analysis.requests import url_of
from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.assist.hovers import field_text
from ttdirect.language_server.assist.json_cursor import Cursor, cursor_after
from ttdirect.schema.routes import Schema, request_schema, resolved

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.document import Document

_PYTHON_BODY = re.compile(r"\bjson\s*=\s*(?=\{)")
_CURL_BODY = re.compile(r"(?:-d|--data(?:-raw|-binary)?|--json)[ =]?'(?=\s*\{)")
_URL = re.compile(r"""https?://[^\s'"]+|["'](/[\w/]+)["']""")
_COMMAND = re.compile(r"(?:^|[|;&\n])\s*curl\b")
_HTTP_START = re.compile(r"(?m)^(?:POST|PUT)[ \t]+(\S+)")
_FARTHEST = 6000


@dataclass(frozen=True)
class Suggestion:
    """A key or a value to write.

    Args:
        label: what to show.
        text: what to write instead of `span`.
        span: what is typed already, an opening quote included.
        detail: what it may hold, in Markdown.
        is_value: whether it is a value.
        rank: lower ones are shown first.
    """

    label: str
    text: str
    span: Span
    detail: str
    is_value: bool
    rank: int


class _Body(NamedTuple):
    start: int
    path: str
    is_python: bool


def complete(document: Document, offset: int) -> list[Suggestion]:
    """What may be written at the cursor inside of a request's body."""
    body = _body_at(document, offset)
    if body is None:
        return []
    schema = request_schema(body.path)
    cursor = cursor_after(document.text[body.start : offset])
    if schema is None or cursor is None:
        return []
    owner = _descend(schema, cursor.path)
    if owner is None:
        return []
    start = offset - len(cursor.typed) - len(cursor.quote)
    rest = document.text[offset : offset + 1]
    # A quote that the editor has closed already is replaced with the rest.
    end = offset + 1 if cursor.quote and rest == cursor.quote else offset
    span = Span(start, end)
    quote = "'" if cursor.quote == "'" and body.is_python else '"'
    if cursor.role == "key":
        return _keys(document, owner, cursor, span, quote)
    return _values(owner, cursor, span, body, quote)


def _keys(
    document: Document, owner: Schema, cursor: Cursor, span: Span, quote: str
) -> list[Suggestion]:
    required = owner.get("required", [])
    behind = document.text[span.end : span.end + 200].lstrip(" \t")
    colon = "" if behind.startswith(":") else ": "
    return [
        Suggestion(
            name,
            f"{quote}{name}{quote}{colon}",
            span,
            field_text(name, field, owner),
            is_value=False,
            rank=rank if name in required else rank + 100,
        )
        for rank, (name, field) in enumerate(owner.get("properties", {}).items())
        if name not in cursor.keys
    ]


def _values(owner: Schema, cursor: Cursor, span: Span, body: _Body, quote: str) -> list[Suggestion]:
    field: Schema | None = owner.get("properties", {}).get(cursor.key) if cursor.key else owner
    if field is None:
        return []
    detail = field_text(cursor.key, field, owner) if cursor.key else ""
    return [
        Suggestion(text, text, span, detail, is_value=True, rank=rank)
        for rank, text in enumerate(_written(it, body, quote) for it in _choices(field))
        if not cursor.quote or text.startswith(cursor.quote)
    ]


def _choices(field: Schema) -> list[Any]:
    """The values of an enumeration, true and false, or the default."""
    field = resolved(field)
    choices: list[Any] = list(field.get("enum", []))
    if "const" in field:
        choices.append(field["const"])
    for part in field.get("anyOf", []):
        choices += _choices(part)
    types = field.get("type", ())
    if "boolean" in ([types] if isinstance(types, str) else types):
        choices += [True, False]
    default = field.get("default")
    if default is not None and default not in choices and not isinstance(default, (dict, list)):
        choices.append(default)
    return [it for it in choices if it is not None]


def _written(value: Any, body: _Body, quote: str) -> str:
    if isinstance(value, str):
        return f"{quote}{value}{quote}"
    return repr(value) if body.is_python else json.dumps(value)


def _descend(schema: Schema, path: tuple[str | int, ...]) -> Schema | None:
    """The schema of the container that a path leads to."""
    for step in path:
        schema = resolved(schema)
        inner: Schema | None = (
            schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        )
        if inner is None:
            return None
        # Of several forms, the one that has something inside.
        forms: list[Schema] = [resolved(it) for it in inner.get("anyOf", [inner])]
        schema = next((it for it in forms if it.get("type") in ("object", "array")), inner)
    return resolved(schema)


def _body_at(document: Document, offset: int) -> _Body | None:
    if document.kind == "python":
        return _python_body(document.text, max(0, offset - _FARTHEST), offset)
    facts = document.markdown
    for block in [] if facts is None else facts.blocks:
        if not block.span.holds(offset):
            continue
        start = block.span.start
        if block.language == "python":
            return _python_body(document.text, start, offset)
        if block.language == "shell":
            return _curl_body(document.text, start, offset)
        if block.language == "http":
            return _http_body(document.text, start, offset)
        return _json_body(document, start, block.span.end)
    return None


def _python_body(text: str, start: int, offset: int) -> _Body | None:
    begin = _last(_PYTHON_BODY, text, start, offset)
    if begin is None:
        return None
    # The address is the call's first argument, right in front.
    addresses = list(_URL.finditer(text, max(start, begin.start() - 400), begin.start()))
    path = _path_of(addresses[-1]) if addresses else ""
    return _Body(begin.end(), path, is_python=True)


def _curl_body(text: str, start: int, offset: int) -> _Body | None:
    begin = _last(_CURL_BODY, text, start, offset)
    if begin is None or "'" in text[begin.end() : offset]:
        return None
    commands = list(_COMMAND.finditer(text, start, begin.start()))
    first = commands[-1].start() if commands else start
    end = re.compile(r"\n\s*\n|```").search(text, offset)
    address = _URL.search(text, first, begin.start()) or _URL.search(
        text, offset, end.start() if end else len(text)
    )
    return None if address is None else _Body(begin.end(), _path_of(address), is_python=False)


def _http_body(text: str, start: int, offset: int) -> _Body | None:
    lines = list(_HTTP_START.finditer(text, start, offset))
    gap = re.compile(r"\r?\n[ \t]*\r?\n").search(text, lines[-1].end(), offset) if lines else None
    if gap is None:
        return None
    return _Body(gap.end(), url_of(lines[-1][1]).path, is_python=False)


def _json_body(document: Document, start: int, end: int) -> _Body | None:
    if not document.is_ours:
        return None
    content = document.text[start:end]
    if re.search(r'"(response|choices|error|status)"\s*:', content):
        return None  # an answer
    path = "/v1/chat/completions" if '"messages"' in content else "/chat"
    return _Body(start, path, is_python=False)


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    # The lookahead wants to see the body's brace, which may be the last character.
    found = [it for it in pattern.finditer(text, start, end) if it.end() < end]
    return found[-1] if found else None


def _path_of(address: re.Match[str]) -> str:
    return address[1] or url_of(address[0]).path
