"""Blocks of a recipe's code: how they look in this script, where they go, and finding them again.

A block goes to the end of a line. Where the line below is blank, as most people have it, the block
comes with blank lines above it. Where the script has no blank line there, it gets one below. So the
text alone tells which lines to take out again. Several blocks in one place stand in the order of
the recipes, whichever was added first.
"""

from __future__ import annotations

import ast
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.script.recipes.catalogue import FIRST_LINES
from ttdirect.script.recipes.imports import NAMES, find_name
from ttdirect.script.recipes.model import Edit, UnsureError
from ttdirect.script.recipes.names import check_free, meaning_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.script.recipes.model import Anchor, Block
    from ttdirect.script.recipes.script import Made, Script

_ROUTES = {"route", "get", "post", "put", "patch", "delete"}
_LAST_WORDS = {"run", "serve", "serve_forever", "main", "exit"}
"""Calls after which nothing more can be set up."""


@dataclass(frozen=True)
class Rendered:
    """A block as this script writes it.

    Args:
        code: its lines, indented, with the script's line ends, without the last.
        leads: the line ends above it where blank lines are usual: below a function, and below
            anything else.
        newline: the script's line end.
        names: what the block's code gives a name to.
        missing: dotted names of what it needs imported.
    """

    code: str
    leads: tuple[str, str]
    newline: str
    names: tuple[str, ...]
    missing: tuple[str, ...]


def render(script: Script, block: Block) -> Rendered:
    """Return a block in the script's own names, indentation and line ends.

    Raises:
        UnsureError: A name that it needs is taken, or there is no place for it.
    """
    site = site_of(script, block.anchor)
    template = string.Template(block.code)
    known = {"app": script.app.name, "engine": script.engine.name if script.engine else ""}
    missing: list[str] = []
    for identifier in _identifiers(block.code):
        if identifier in NAMES:
            name = find_name(NAMES[identifier], site)
            known[identifier] = name.expression
            missing += [name.missing] if name.missing else []
    code = template.substitute(known)
    line = site.statement.lineno
    base, newline = script.lines.indentation(line), script.lines.newline(line)
    is_inside = not isinstance(site.owner, ast.Module)
    lines = code.split("\n")
    if is_inside:  # two blank lines are for the outermost level
        lines = [it for number, it in enumerate(lines) if it or lines[number - 1]]
    indented = [_indent(it, base, script.indentation) for it in lines]
    blanks = 2 if "\ndef " in code and not is_inside else 1
    return Rendered(
        newline.join(indented),
        (newline * (2 if is_inside else 3), newline * (1 + blanks)),
        newline,
        tuple(_bound(code)),
        tuple(missing),
    )


def insertion(
    script: Script, block: Block, rendered: Rendered, earlier: Sequence[Rendered]
) -> Edit:
    """Return the edit that adds a block.

    Args:
        script: without it.
        block: what to add.
        rendered: the same, rendered.
        earlier: blocks that stand before it if they are there.

    Raises:
        UnsureError: A name that the block binds is taken, or there is no place for it.
    """
    for name in rendered.names:
        check_free(name, site_of(script, block.anchor).scopes)
    line, is_function = _anchor_line(script, block.anchor)
    for other in earlier:
        roomy = [lead + other.code for lead in other.leads]
        for text in (*roomy, other.newline + other.code + other.newline):
            end = script.lines.end(line)
            if script.source.startswith(text, end):
                line, is_function = script.lines.line_of(end + len(text)), False
                break
    at = script.lines.end(line)
    is_crowded = line < script.lines.count and not script.lines.is_blank(line + 1)
    if is_crowded:
        text = rendered.newline + rendered.code + rendered.newline
    else:
        text = rendered.leads[0 if is_function else 1] + rendered.code
    return Edit(at, at, text, block.label)


def deletion(script: Script, rendered: Rendered) -> Edit | None:
    """Return the edit that takes a block out; None if it is not there to the letter, once."""
    lines, source = script.lines, script.source
    start = source.find(rendered.newline + rendered.code)
    if start < 0:
        return None
    start += len(rendered.newline)
    end = start + len(rendered.code)
    is_whole = end == lines.end(lines.line_of(end))
    if not is_whole or rendered.code in source[end:]:
        return None
    for lead in rendered.leads:
        if source.endswith(lead, 0, start):
            start -= len(lead)
            break
    else:
        start -= len(rendered.newline)
        end += len(rendered.newline) if source.startswith(rendered.newline, end) else 0
    return Edit(start, end, "", "Takes the recipe's lines out.")


def site_of(script: Script, anchor: Anchor) -> Made:
    """The statement by whose place and indentation a block goes.

    Raises:
        UnsureError: There is none, or the engine is hidden in a function of its own.
    """
    if anchor == "engine":
        if script.engine is None:
            raise UnsureError("No line of this script makes an Engine.")
        return script.engine
    if anchor == "routes" and script.engine is not None:
        inside = {id(scope.owner) for scope in script.app.scopes}
        if id(script.engine.owner) not in inside:
            line = script.engine.statement.lineno
            raise UnsureError("The engine is made in another function than the app.", line)
    return script.app


def _anchor_line(script: Script, anchor: Anchor) -> tuple[int, bool]:
    """The line to whose end a block goes, and whether a function ends there."""
    site = site_of(script, anchor)
    if anchor == "before app":
        return _line_above(script, site), False
    last = site.statement
    if anchor == "hooks":
        last = _end_of_paragraph(script, site)
    elif anchor == "routes":
        last = _last_route(script, site)
    return script.last_line(last), isinstance(last, (ast.FunctionDef, ast.AsyncFunctionDef))


def _line_above(script: Script, site: Made) -> int:
    """The last line above a statement and the comments that lead to it."""
    line = script.first_line(site.statement) - 1
    while line > 1 and script.lines.text(line).lstrip().startswith("#"):
        line -= 1
    while line > 1 and script.lines.is_blank(line):
        line -= 1
    return line


def _end_of_paragraph(script: Script, site: Made) -> ast.stmt:
    """The last of the simple statements that set the app up, without blank lines between them."""
    last = site.statement
    for statement in site.owner.body[site.position + 1 :]:
        is_simple = isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))
        if not is_simple or _is_last_word(statement):
            break
        between = range((last.end_lineno or 0) + 1, statement.lineno)
        gap = [script.lines.text(line).strip() for line in between]
        if "" in gap or not FIRST_LINES.isdisjoint(gap):  # a recipe's block needs no blank line
            break
        last = statement
    return last


def _last_route(script: Script, site: Made) -> ast.stmt:
    """The last statement that adds a route, or that makes what a route needs."""
    last = _end_of_paragraph(script, site)
    after = [last]
    if script.engine is not None and script.engine.owner is site.owner:
        after.append(script.engine.statement)
    for statement in site.owner.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if any(_is_route(it) for it in statement.decorator_list):
                after.append(statement)
        elif isinstance(statement, ast.Expr) and _adds_routes(statement.value, site):
            after.append(statement)
    return max(after, key=lambda it: it.lineno)


def _is_route(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr in _ROUTES


def _adds_routes(value: ast.expr, site: Made) -> bool:
    if not isinstance(value, ast.Call):
        return False
    meaning = meaning_of(value.func, site.scopes) or ""
    name = value.func.attr if isinstance(value.func, ast.Attribute) else ""
    return meaning.startswith("ttdirect.server.add_") or name in (
        "add_url_rule",
        "register_blueprint",
    )


def _is_last_word(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return False
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return name in _LAST_WORDS


def _identifiers(code: str) -> list[str]:
    found = [match["named"] for match in string.Template.pattern.finditer(code)]
    return [it for it in dict.fromkeys(found) if it]


def _indent(line: str, base: str, unit: str) -> str:
    """One line with the script's indentation instead of four spaces a level."""
    if not line:
        return line
    text = line.lstrip(" ")
    levels, rest = divmod(len(line) - len(text), 4)
    return base + unit * levels + " " * rest + text


def _bound(code: str) -> list[str]:
    """The names that a block binds, on its outermost level."""
    names: list[str] = []
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.FunctionDef):
            names.append(statement.name)
        elif isinstance(statement, ast.Assign):
            names += [it.id for it in statement.targets if isinstance(it, ast.Name)]
    return names
