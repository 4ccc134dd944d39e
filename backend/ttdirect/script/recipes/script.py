"""The facts of a user's script that recipes go by: its app, its engine, its imports."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ttdirect.script.recipes.lines import Lines
from ttdirect.script.recipes.model import UnsureError
from ttdirect.script.recipes.names import Function, Owner, Scope, imported, meaning_of
from ttdirect.script.recipes.parsing import parse
from ttdirect.script.recipes.signs import read_traits

if TYPE_CHECKING:
    from ttdirect.script.recipes.signs import Trait

FLASK = "flask.Flask"
ENGINES = ("ttdirect.engine.Engine", "ttdirect.engine.engine.Engine")
PROTECT = ("ttdirect.server.protect", "ttdirect.server.protection.protect")

_PACKAGES = ("flask", "ttdirect")
_REST_OF_LINE = re.compile(r"[ \t\f]*(#.*)?")


@dataclass(frozen=True)
class Made:
    """A statement `name = Call(...)` that stands in the body of the module or of a function."""

    name: str
    call: ast.Call
    statement: ast.stmt
    scopes: tuple[Scope, ...]

    @property
    def owner(self) -> Owner:
        """The module or the function whose body holds the statement."""
        return self.scopes[-1].owner

    @property
    def position(self) -> int:
        """Its place in that body."""
        return self.owner.body.index(self.statement)


class Script:
    """A script that parses.

    Args:
        source: its text.

    Raises:
        UnsureError: It does not parse, or `import *` hides what its names stand for.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = parse(source)
        self.lines = Lines(source)
        self.module = Scope(self.tree)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of the syntax tree."""
        return [node for node, _ in self._nodes_with_functions]

    @cached_property
    def app(self) -> Made:
        """The line that makes the Flask app.

        Raises:
            UnsureError: There is no such line, there are several, or it is no plain assignment.
        """
        app = self._one("a Flask app", (FLASK,))
        if app is None:
            raise UnsureError("No line of this script makes a Flask app.")
        return app

    @cached_property
    def engine(self) -> Made | None:
        """The line that makes the package's Engine, if there is one.

        Raises:
            UnsureError: There are several, or it is no plain assignment.
        """
        return self._one("an Engine", ENGINES)

    @cached_property
    def is_protected(self) -> bool:
        """Whether `server.protect(app)` stands in the body that makes the app."""
        return any(
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and meaning_of(statement.value.func, self.app.scopes) in PROTECT
            for statement in self.app.owner.body
        )

    @cached_property
    def calls(self) -> list[tuple[ast.Call, tuple[Scope, ...]]]:
        """Calls that may concern Flask or this package, each with the scopes around it.

        The scopes go from the module to the innermost function.
        """
        roots = {
            name
            for node in self.nodes
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name, meaning in imported(node)
            if (meaning or "").partition(".")[0] in _PACKAGES
        }
        scopes: dict[Function, Scope] = {}
        found: list[tuple[ast.Call, tuple[Scope, ...]]] = []
        for node, functions in self._nodes_with_functions:
            if isinstance(node, ast.Call) and _root(node.func) in roots:
                for function in functions:
                    if function not in scopes:
                        scopes[function] = Scope(function)
                found.append((node, (self.module, *(scopes[it] for it in functions))))
        return found

    @cached_property
    def traits(self) -> dict[Trait, int]:
        """What the script shows of the ideas that recipes add (see `signs`)."""
        return read_traits(self)

    @cached_property
    def first_messages(self) -> list[tuple[ast.List, ast.Dict]]:
        """The lists of chat messages, each with its first message, that begin with the user's."""
        return [
            (node, node.elts[0])
            for node in self.nodes
            if isinstance(node, ast.List)
            and node.elts
            and isinstance(node.elts[0], ast.Dict)
            and ("role", "user") in _constants(node.elts[0])
        ]

    @cached_property
    def indentation(self) -> str:
        """What one level is indented by."""
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.With, ast.Try)):
                inside, outside = (self.lines.indentation(it.lineno) for it in (node.body[0], node))
                if inside.startswith(outside) and inside != outside:
                    return inside.removeprefix(outside)
        return "    "

    def uses(self, name: str, dotted: str | None = None) -> bool:
        """Whether a line reads the module's `name`, or a function's own import of `dotted`."""
        for node, functions in self._nodes_with_functions:
            if not (isinstance(node, ast.Name) and node.id == name):
                continue
            scopes = [Scope(function) for function in functions]
            nearest = next((it for it in reversed(scopes) if name in it.bindings), None)
            if nearest is None or (dotted and nearest.meaning(name) == dotted):
                return True
        return False

    def last_line(self, statement: ast.stmt) -> int:
        """The line in which a statement ends.

        Raises:
            UnsureError: The line goes on with another statement.
        """
        _, end = self.lines.span(statement)
        line = self.lines.line_of(end)
        if not _REST_OF_LINE.fullmatch(self.source[end : self.lines.end(line)]):
            raise UnsureError("Several statements stand in one line.", line)
        return line

    def first_line(self, statement: ast.stmt) -> int:
        """The line in which a statement begins, its decorators included.

        Raises:
            UnsureError: The line holds another statement before this one.
        """
        decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
        line = min([statement.lineno, *(it.lineno for it in decorators)])
        begin = self.lines.span(statement)[0]
        if not decorators and self.source[self.lines.start(line) : begin].strip():
            raise UnsureError("Several statements stand in one line.", line)
        return line

    @cached_property
    def _nodes_with_functions(self) -> list[tuple[ast.AST, tuple[Function, ...]]]:
        """Every node, with the functions around it."""
        found: list[tuple[ast.AST, tuple[Function, ...]]] = []
        open_nodes: list[tuple[ast.AST, tuple[Function, ...]]] = [(self.tree, ())]
        while open_nodes:
            node, functions = open_nodes.pop()
            found.append((node, functions))
            if isinstance(node, Function):
                functions = (*functions, node)
            open_nodes += [(child, functions) for child in ast.iter_child_nodes(node)]
        found.sort(key=lambda it: getattr(it[0], "lineno", 0))
        return found

    def _one(self, what: str, meanings: tuple[str, ...]) -> Made | None:
        found = [(call, it) for call, it in self.calls if meaning_of(call.func, it) in meanings]
        if not found:
            return None
        lines = [call.lineno for call, _ in found]
        if len(found) > 1:
            raise UnsureError(
                f"This script makes {what} in more than one line ({lines[0]} and {lines[1]}).",
                lines[1],
            )
        call, scopes = found[0]
        for statement in scopes[-1].owner.body:
            name = _target(statement, call)
            if name is None:
                continue
            places = scopes[-1].bindings[name]
            if len(places) > 1:
                again = next((it.line for it in places if it.line != statement.lineno), lines[0])
                raise UnsureError(f"`{name}` gets another value in line {again}.", again)
            return Made(name, call, statement, scopes)
        raise UnsureError(
            f"The line that makes {what} is no plain assignment such as `app = Flask(__name__)` "
            "in the script or in a function.",
            lines[0],
        )


def _target(statement: ast.stmt, call: ast.Call) -> str | None:
    """The name that a statement gives to what the call makes."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is call:
            return name
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is call:
            return name
        case _:
            return None


def _root(expression: ast.expr) -> str | None:
    """The name before the first dot."""
    while isinstance(expression, ast.Attribute):
        expression = expression.value
    return expression.id if isinstance(expression, ast.Name) else None


def _constants(node: ast.Dict) -> set[tuple[object, object]]:
    return {
        (key.value, value.value)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }
