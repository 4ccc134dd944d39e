"""What the names of a script stand for, as far as its imports tell for certain."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ttdirect.script.recipes.model import UnsureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Owner: TypeAlias = ast.Module | Function


@dataclass(frozen=True)
class Binding:
    """One place that gives a name its value.

    `meaning` is the dotted name of what is imported there; None for every other value, and for an
    import that may not take place.
    """

    line: int
    meaning: str | None
    statement: ast.stmt | None = None


class Scope:
    """The names that a module or a function binds itself.

    Args:
        owner: the module or the function.
    """

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.bindings: dict[str, list[Binding]] = {}
        if isinstance(owner, ast.Module):
            for node in ast.walk(owner):
                if isinstance(node, ast.Global):
                    for name in node.names:
                        self._bind(name, node.lineno)
        else:
            for argument in ast.walk(owner.args):
                if isinstance(argument, ast.arg):
                    self._bind(argument.arg, argument.lineno)
        self._read(owner.body, certain=True)

    def meaning(self, name: str) -> str | None:
        """The dotted name of what `name` was imported as, if it never stands for something else."""
        meanings = {binding.meaning for binding in self.bindings.get(name, ())}
        return meanings.pop() if len(meanings) == 1 else None

    def _bind(
        self, name: str, line: int, meaning: str | None = None, by: ast.stmt | None = None
    ) -> None:
        self.bindings.setdefault(name, []).append(Binding(line, meaning, by))

    def _read(self, body: Sequence[ast.stmt], *, certain: bool) -> None:
        for statement in body:
            self._read_statement(statement, certain=certain)

    def _read_statement(self, statement: ast.stmt, *, certain: bool) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for name, meaning in imported(statement):
                self._bind(name, statement.lineno, meaning if certain else None, statement)
        elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._bind(statement.name, statement.lineno)
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            self._read_expressions(statement)
            self._read(statement.body, certain=certain)
        elif isinstance(statement, ast.Try):
            self._read(statement.body, certain=certain)
            for handler in statement.handlers:
                if handler.name:
                    self._bind(handler.name, handler.lineno)
                self._read(handler.body, certain=False)
            self._read([*statement.orelse, *statement.finalbody], certain=False)
        else:
            self._read_expressions(statement)
            for part in ast.iter_child_nodes(statement):
                nested = [part] if isinstance(part, ast.stmt) else getattr(part, "body", [])
                if isinstance(part, (ast.stmt, ast.match_case, ast.ExceptHandler)):
                    self._read(nested, certain=False)

    def _read_expressions(self, statement: ast.stmt) -> None:
        for node in _outside_of_blocks(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._bind(node.id, node.lineno)
            elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
                self._bind(node.name, node.lineno)
            elif isinstance(node, ast.MatchMapping) and node.rest:
                self._bind(node.rest, node.lineno)


def imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str | None]]:
    """Yield the names that an import binds, each with the dotted name that it stands for.

    Raises:
        UnsureError: It is `from ... import *`, which may bind any name.
    """
    for alias in statement.names:
        if alias.name == "*":
            raise UnsureError(
                "`import *` may give any name another meaning; import the names one by one.",
                statement.lineno,
            )
        if isinstance(statement, ast.ImportFrom):
            known = statement.module and not statement.level
            meaning = f"{statement.module}.{alias.name}" if known else None
            yield alias.asname or alias.name, meaning
        elif alias.asname:
            yield alias.asname, alias.name
        else:
            first = alias.name.partition(".")[0]
            yield first, first


def meaning_of(expression: ast.expr, scopes: Sequence[Scope]) -> str | None:
    """The dotted name of what an expression such as `flask.Flask` stands for.

    Args:
        expression: a name, or names with dots between them.
        scopes: from the module to the innermost function.
    """
    if isinstance(expression, ast.Attribute):
        owner = meaning_of(expression.value, scopes)
        return owner and f"{owner}.{expression.attr}"
    if isinstance(expression, ast.Name):
        for scope in reversed(scopes):
            if expression.id in scope.bindings:
                return scope.meaning(expression.id)
    return None


def check_free(name: str, scopes: Sequence[Scope]) -> None:
    """Make sure that a new thing can have this name.

    Raises:
        UnsureError: The name stands for something already.
    """
    for scope in scopes:
        for binding in scope.bindings.get(name, ()):
            raise UnsureError(
                f"The name `{name}`, which this recipe needs, stands for something else in line "
                f"{binding.line}.",
                binding.line,
            )
    assert not hasattr(builtins, name), name  # noqa: S101 - our own recipes choose better


def _outside_of_blocks(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below `node`, but for the statements in its blocks."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ExceptHandler, ast.stmt)):
            continue
        if isinstance(child, ast.match_case):
            yield from _outside_of_blocks(child.pattern)
            yield child.pattern
            continue
        yield child
        if not isinstance(child, ast.Lambda):
            yield from _outside_of_blocks(child)
