"""Where a cursor is in JSON, or in a Python dictionary, that is still being written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["key", "value"]

_SPACE = " \t\r\n"


@dataclass
class _Container:
    is_object: bool
    key: str | int | None = None
    keys: list[str] = field(default_factory=list[str])
    expects: Role = "key"


@dataclass(frozen=True)
class Cursor:
    """The place of a cursor.

    Args:
        path: the keys and positions that lead to the container that it is in.
        role: what belongs there.
        key: the key of the value that belongs there; None for a key, or in a list.
        keys: the keys that the container has already.
        typed: how much of the word is there.
        quote: the quote that it has begun with, or "".
    """

    path: tuple[str | int, ...]
    role: Role
    key: str | None
    keys: frozenset[str]
    typed: str
    quote: str


def cursor_after(text: str) -> Cursor | None:
    """The place at the end of a text that begins with the body; None where nothing belongs."""
    stack: list[_Container] = []
    position, word, quote = 0, "", ""
    while position < len(text):
        character = text[position]
        if character in "\"'":
            string, end = _string(text, position)
            if end is None:
                word, quote = string, character
                break
            _take(stack, string)
            position, word = end, ""
            continue
        is_sign = character in "{}[]:,"
        if is_sign and not _sign(stack, character):
            return None  # behind the body
        word = "" if is_sign or character in _SPACE else word + character
        position += 1
    if not stack:
        return None
    here = stack[-1]
    path = tuple(it.key for it in stack[:-1] if it.key is not None)
    key = here.key if here.is_object and here.expects == "value" else None
    own_key = key if isinstance(key, str) else None
    return Cursor(path, here.expects, own_key, frozenset(here.keys), word, quote)


def _sign(stack: list[_Container], sign: str) -> bool:
    """Take in a sign; return whether the body goes on behind it."""
    if sign == "{":
        stack.append(_Container(is_object=True))
    elif sign == "[":
        stack.append(_Container(is_object=False, key=0, expects="value"))
    elif not stack:
        return False
    elif sign in "}]":
        stack.pop()
    elif sign == ":":
        stack[-1].expects = "value"
    else:
        _next(stack[-1])
    return bool(stack)


def _string(text: str, start: int) -> tuple[str, int | None]:
    """The string that begins at a quote, and where it ends; None if it does not."""
    position, quote = start + 1, text[start]
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == quote:
            return text[start + 1 : position], position + 1
        if text[position] == "\n":
            break
        position += 1
    return text[start + 1 : position], None if position >= len(text) else position


def _take(stack: list[_Container], string: str) -> None:
    if stack and stack[-1].is_object and stack[-1].expects == "key":
        stack[-1].key = string
        stack[-1].keys.append(string)


def _next(container: _Container) -> None:
    if container.is_object:
        container.expects, container.key = "key", None
    elif isinstance(container.key, int):
        container.key += 1
