"""The facts of a Python file: its functions, calls, routes, comparisons and assignments."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ttdirect.language_server.analysis.expressions import Expression, Names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Tree

    from ttdirect.language_server.analysis.scopes import Scope
    from ttdirect.language_server.analysis.source import Source, Span


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function or method.

    Args:
        name: as it is defined.
        symbol: its name with those around it, such as `.Chat.post`.
        span: from its first decorator to its end.
        scope: the scope of its body.
        decorators: what stands behind each `@`.
    """

    name: str
    symbol: str
    span: Span
    scope: Scope
    decorators: tuple[Expression, ...]
    yields: list[Span] = field(default_factory=list["Span"])
    """Where it yields; a function that does is a generator."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call.

    Args:
        callee: what is called.
        arguments: those by position; empty after a `*`.
        keywords: those by name.
        span: the whole call.
        arguments_span: its brackets.
        function: the function that it stands in.
        held: what the `with` statements around it, in the same function, hold.
        is_guarded: whether an `if` or `try` around it, in the same function, may leave it out.
        is_main: whether it runs only when the file is the program.
        takes_rest: whether `*` or `**` hand over more.
    """

    callee: Expression
    arguments: tuple[Expression, ...]
    keywords: dict[str, Expression]
    span: Span
    arguments_span: Span
    function: Function | None
    held: tuple[Expression, ...]
    is_guarded: bool
    is_main: bool
    takes_rest: bool
    keyword_spans: dict[str, Span]
    """Where each `name=value` stands."""
    node: Node

    @property
    def name(self) -> str:
        """The last word of what is called."""
        return self.callee.text.rpartition(".")[2]

    def argument(self, position: int | None, name: str) -> Expression | None:
        """The argument of a parameter, given by position or by name."""
        if name in self.keywords:
            return self.keywords[name]
        if position is not None and position < len(self.arguments):
            return self.arguments[position]
        return None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target = value`, with any target but several names."""

    target: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left == right` or `left != right`."""

    left: Expression
    right: Expression
    sign: str
    span: Span


@dataclass(frozen=True, slots=True)
class Route:
    """A URL path that a function answers.

    Args:
        path: as Flask has it, such as "/v1/models/<name>".
        methods: such as ("POST",).
        function: what answers.
        span: where it is declared.
    """

    path: str
    methods: tuple[str, ...]
    function: Function
    span: Span


@dataclass(eq=False)
class PythonFacts:
    """Everything that rules and lenses want to know of a file.

    Args:
        source: its text.
        tree: its syntax tree.
        module: its outermost scope.
        names: what its expressions stand for.
    """

    source: Source
    tree: Tree
    module: Scope
    names: Names
    functions: dict[str, Function] = field(default_factory=dict[str, Function])
    calls: list[Call] = field(default_factory=list[Call])
    assignments: list[Assignment] = field(default_factory=list[Assignment])
    comparisons: list[Comparison] = field(default_factory=list[Comparison])
    routes: list[Route] = field(default_factory=list[Route])
    strings: list[Expression] = field(default_factory=list[Expression])
    calls_in: dict[str, list[Call]] = field(default_factory=dict[str, "list[Call]"])
    """The calls in each function, by its symbol; "" for the module."""
    last_import_end: int = 0
    """Where the first block of imports at the file's top ends."""

    @functools.cached_property
    def root(self) -> Node:
        """The root of the syntax tree."""
        return self.tree.root_node

    def calls_of(self, *symbols: str) -> list[Call]:
        """The calls of what is surely one of these symbols, in order."""
        found = {id(call): call for symbol in symbols for call in self._by_symbol.get(symbol, [])}
        sure = [call for call in found.values() if call.callee.symbols <= set(symbols)]
        return sorted(sure, key=lambda call: call.span.start)

    @functools.cached_property
    def _by_symbol(self) -> dict[str, list[Call]]:
        """The calls of each symbol that something called may stand for."""
        calls: dict[str, list[Call]] = {}
        for call in self.calls:
            for symbol in call.callee.symbols:
                calls.setdefault(symbol, []).append(call)
        return calls

    def called_function(self, call: Call) -> Function | None:
        """The function of this file that a call calls."""
        symbols = call.callee.symbols
        if len(symbols) != 1:
            return None
        symbol = next(iter(symbols))
        return self.functions.get(symbol) or self.functions.get(symbol.replace("()", ""))

    def function_named(self, expression: Expression) -> Function | None:
        """The function of this file that an expression names."""
        symbols = expression.symbols
        return self.functions.get(next(iter(symbols))) if len(symbols) == 1 else None

    def reached_from(self, function: Function) -> Iterator[tuple[Call, tuple[Call, ...]]]:
        """Every call that running a function may reach, each with the calls that lead to it.

        Functions of this file are followed, each once; a function that stands inside of another
        one counts as run where it is called.
        """
        seen = {function.symbol}
        waiting: list[tuple[Function, tuple[Call, ...]]] = [(function, ())]
        while waiting:
            current, way = waiting.pop()
            for call in self.calls_in.get(current.symbol, []):
                yield call, way
                called = self.called_function(call)
                if called is not None and called.symbol not in seen:
                    seen.add(called.symbol)
                    waiting.append((called, (*way, call)))
