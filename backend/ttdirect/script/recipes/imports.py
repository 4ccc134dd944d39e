"""The imports that a recipe's code needs: found in the script, or added where they belong.

An added import stands in a line of its own with a comment that says what it is for. By that line
it is recognised again when the recipe is taken out.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdirect.script.recipes.model import Edit, UnsureError
from ttdirect.script.recipes.names import check_free
from ttdirect.script.recipes.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.script.recipes.script import Made

_REASONS = {
    "collections": "remembers what happened lately",
    "flask.request": "what the client sent",
    "functools": "for functions with arguments filled in",
    "hmac": "compares secrets",
    "logging": "for the log's levels",
    "os": "for settings from the environment",
    "prometheus_client": "counts and measures",
    "secrets": "makes keys that nobody can guess",
    "threading": "for locks",
    "time": "measures time",
    "ttdirect.server": "what the package adds to Flask",
}
"""What recipes import, by dotted name, and the comments behind the lines."""

NAMES = {dotted.rpartition(".")[2]: dotted for dotted in _REASONS}
"""The same, by the names that stand behind a `$` in the code of recipes."""


@dataclass(frozen=True)
class Name:
    """What the script calls something, and the import that has to be added for it, if any."""

    expression: str
    missing: str | None = None


def find_name(dotted: str, site: Made) -> Name:
    """Return what a recipe's code beside a statement has to call the thing of a dotted name.

    Raises:
        UnsureError: The name that an import would give it is taken, or imported further below.
    """
    scopes = site.scopes
    owner, _, last = dotted.rpartition(".")
    outside = None
    for scope in reversed(scopes):
        for name in scope.bindings:
            # What an inner function binds itself hides the import.
            if any(name in inner.bindings for inner in scopes[scopes.index(scope) + 1 :]):
                continue
            meaning = scope.meaning(name)
            if meaning == dotted:
                late = max(binding.line for binding in scope.bindings[name])
                if late > site.statement.lineno:
                    raise UnsureError(
                        f"`{name}` is imported too late for this, in line {late}.", late
                    )
                return Name(name)
            if owner == "flask" and meaning == owner:
                outside = f"{name}.{last}"
    if outside:
        return Name(outside)
    check_free(last, scopes)
    return Name(last, missing=dotted)


def import_line(dotted: str) -> str:
    """The line that imports something for a recipe, without its indentation."""
    owner, _, last = dotted.rpartition(".")
    statement = f"from {owner} import {last}" if owner else f"import {dotted}"
    return f"{statement}  # {_REASONS[dotted]}"


def additions(script: Script, missing: Sequence[str]) -> Iterator[Edit]:
    """Yield the edits that import what is missing."""
    for dotted in sorted(set(missing)):
        yield _addition(script, dotted)


def removals(script: Script, gone: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    """Yield the edits that take out imports of recipes that nothing uses any more.

    Args:
        script: with all of its lines.
        gone: spans of the source that are taken out anyway.
    """
    ours = {import_line(dotted): name for name, dotted in NAMES.items()}
    texts = {line: script.lines.text(line).strip() for line in range(1, script.lines.count + 1)}
    added = {line: ours[text] for line, text in texts.items() if text in ours}
    if not added:
        return
    rest = script.source
    for start, end in sorted(gone, reverse=True):
        rest = rest[:start] + rest[end:]
    remaining = Script(rest)
    for line, name in added.items():
        if not remaining.uses(name, NAMES[name]):
            start, end = _whole_line(script, line)
            yield Edit(start, end, "", f"Takes out the import of `{name}`.")


def _addition(script: Script, dotted: str) -> Edit:
    label = f"Imports `{dotted.rpartition('.')[2]}`."
    if dotted in sys.stdlib_module_names:
        return _among_the_standard_library(script, dotted, label)
    neighbour = _neighbour(script, dotted)
    line = script.last_line(neighbour)
    return _line_below(script, line, script.lines.indentation(neighbour.lineno), dotted, label)


def _among_the_standard_library(script: Script, dotted: str, label: str) -> Edit:
    """In the order of the alphabet among imports of its kind, else above all imports."""
    first_use = min(it.statement.lineno for it in (script.app, script.engine) if it)
    own = [
        statement
        for statement in script.tree.body
        if isinstance(statement, ast.Import)
        and statement.names[0].name.partition(".")[0] in sys.stdlib_module_names
        and statement.lineno < first_use
    ]
    above = next((it for it in own if it.names[0].name > dotted), None)
    if above is None and own:
        return _line_below(script, script.last_line(own[-1]), "", dotted, label)
    if above is None:
        above = next((it for it in script.tree.body if _imports(it)), script.tree.body[0])
    line = script.first_line(above)
    start = script.lines.start(line)
    return Edit(start, start, import_line(dotted) + script.lines.newline(line), label)


def _imports(statement: ast.stmt) -> bool:
    """Whether this is the first place where a new import may stand above."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module != "__future__"
    return isinstance(statement, (ast.Import, ast.Try, ast.With, ast.If, ast.FunctionDef))


def _neighbour(script: Script, dotted: str) -> ast.stmt:
    """The import that a new one of another package belongs below."""
    package = dotted.partition(".")[0]
    scopes = script.app.scopes
    candidates = [
        (binding.statement, binding.meaning or "")
        for scope in reversed(scopes)
        for places in scope.bindings.values()
        for binding in places
        if binding.statement is not None and binding.line < script.app.statement.lineno
    ]
    for wanted in (package, "flask"):
        for statement, meaning in candidates:
            if meaning.partition(".")[0] == wanted:
                return statement
    raise UnsureError("It is not clear where an import belongs here.")


def _line_below(script: Script, line: int, indentation: str, dotted: str, label: str) -> Edit:
    end = script.lines.end(line)
    return Edit(end, end, script.lines.newline(line) + indentation + import_line(dotted), label)


def _whole_line(script: Script, line: int) -> tuple[int, int]:
    if line < script.lines.count:
        return script.lines.start(line), script.lines.start(line + 1)
    return script.lines.end(line - 1), script.lines.end(line)
