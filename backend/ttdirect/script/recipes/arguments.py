"""Small additions inside of an expression: an argument of a call, a message of a list."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ttdirect.script.recipes.model import Edit, UnsureError

if TYPE_CHECKING:
    from ttdirect.script.recipes.model import Argument, Message
    from ttdirect.script.recipes.script import Script

_OUT = "Takes out what the recipe added."


def add_argument(script: Script, argument: Argument) -> Edit:
    """Return the edit that gives the engine one more argument, behind the others.

    Raises:
        UnsureError: The call ends in `**options`, which may hold it already.
    """
    call = _engine_call(script)
    given = [*call.args, *call.keywords]
    if any(isinstance(it, ast.keyword) and it.arg is None for it in given):
        raise UnsureError("The engine's arguments may be hidden behind `**`.", call.lineno)
    lines = script.lines
    last = max(lines.span(it)[1] for it in given)
    line = lines.line_of(last)
    if script.source.startswith(",", last) and line < (call.end_lineno or 0):
        end = lines.end(line)
        text = f"{lines.newline(line)}{lines.indentation(line)}{argument.text},"
        return Edit(end, end, text, argument.label)
    return Edit(last, last, f", {argument.text}", argument.label)


def remove_argument(script: Script, argument: Argument) -> Edit | None:
    """Return the edit that takes the argument out; None if it is not there to the letter."""
    for keyword in _engine_call(script).keywords:
        start, end = script.lines.span(keyword)
        if script.source[start:end] != argument.text:
            continue
        line = script.lines.line_of(start)
        if script.lines.text(line).strip() == f"{argument.text},":
            return Edit(script.lines.end(line - 1), script.lines.end(line), "", _OUT)
        if script.source.endswith(", ", 0, start):
            return Edit(start - len(", "), end, "", _OUT)
    return None


def add_message(script: Script, message: Message) -> Edit:
    """Return the edit that puts a message before the user's.

    Raises:
        UnsureError: Several lists begin with a message of the user's.
    """
    if len(script.first_messages) > 1:
        lines = [it.lineno for it, _ in script.first_messages]
        raise UnsureError(
            f"Messages are made in lines {lines[0]} and {lines[1]}; it is not clear which of them "
            "the model gets.",
            lines[1],
        )
    list_, first = script.first_messages[0]
    start, _ = script.lines.span(first)
    between = " "
    if first.lineno > list_.lineno:
        line = first.lineno
        between = script.lines.newline(line) + script.lines.indentation(line)
    return Edit(start, start, f"{message.text},{between}", message.label)


def remove_message(script: Script, message: Message) -> Edit | None:
    """Return the edit that takes the message out; None if it is not there to the letter."""
    for node in script.nodes:
        if isinstance(node, ast.List) and len(node.elts) > 1:
            (start, end), (following, _) = (script.lines.span(it) for it in node.elts[:2])
            if script.source[start:end] == message.text:
                return Edit(start, following, "", _OUT)
    return None


def _engine_call(script: Script) -> ast.Call:
    if script.engine is None:
        raise UnsureError("No line of this script makes an Engine.")
    return script.engine.call
