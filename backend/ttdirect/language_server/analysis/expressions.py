"""What an expression of a Python file stands for, as far as its text alone tells.

A *symbol* says in dotted words where a value comes from: `flask.Flask` is the class,
`flask.Flask()` an instance, `flask.Flask().run` its method, `create()#2` the third element of a
call's result. Names of the file itself begin with a dot. An expression can have several symbols
(`try: import a as x`, `except: import b as x`) or none; who asks takes only what all agree on.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tree_sitter import Node

    from ttdirect.language_server.analysis.scopes import Binding, Scope
    from ttdirect.language_server.analysis.source import Source, Span


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""The value of an expression that the text does not tell."""

_NONE: frozenset[str] = frozenset()
_DEEPEST = 12
_ENVIRONMENT = frozenset({"os.environ.get", "os.getenv", "environ.get", "getenv"})
_OPTIONS = frozenset(
    {
        "argparse.ArgumentParser().parse_args()",
        "argparse.ArgumentParser().parse_known_args()#0",
    }
)
_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "str": str}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "//": lambda left, right: left // right,
    "%": lambda left, right: left % right,
    "**": lambda left, right: left**right,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression and the scope that its names belong to.

    Args:
        node: the syntax tree's node.
        scope: where it stands.
        names: what the file says of its names.
    """

    node: Node
    scope: Scope
    names: Names

    @property
    def span(self) -> Span:
        """Where it stands in the document."""
        return self.names.source.span(self.node)

    @property
    def text(self) -> str:
        """Its source text."""
        return self.names.source.of(self.node)

    @property
    def symbols(self) -> frozenset[str]:
        """Everything that it may stand for."""
        return self.names.symbols(self.node, self.scope)

    @property
    def value(self) -> Any:
        """Its value, or UNKNOWN."""
        return self.names.value(self.node, self.scope)

    def is_one_of(self, symbols: Iterable[str]) -> bool:
        """Whether it surely stands for one of these."""
        own = self.symbols
        return bool(own) and own <= frozenset(symbols)


class Names:
    """Answers what the expressions of one file stand for.

    Args:
        source: the file's text.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.returns: dict[str, list[tuple[Node, Scope]]] = {}
        """The expressions that each function returns, by the function's symbol."""
        self.classes: dict[str, Scope] = {}
        """The scopes of the classes, by symbol."""
        self.options: dict[str, tuple[Node, Scope]] = {}
        """The defaults of the command line's options, by the attribute that argparse makes."""
        self._symbols: dict[int, frozenset[str]] = {}
        self._values: dict[int, Any] = {}

    def symbols(self, node: Node | None, scope: Scope, depth: int = 0) -> frozenset[str]:
        """The symbols of an expression."""
        if node is None or depth > _DEEPEST:
            return _NONE
        known = self._symbols.get(node.id)
        if known is None:
            self._symbols[node.id] = _NONE  # what a name that is made of itself comes back to
            known = self._resolve(node, scope, depth + 1)
            self._symbols[node.id] = known
        return known

    def _resolve(self, node: Node, scope: Scope, depth: int) -> frozenset[str]:
        if node.type == "identifier":
            return self.symbols_of_name(self.source.of(node), scope, depth)
        if node.type == "attribute":
            return self._of_attribute(node, scope, depth)
        if node.type == "call":
            called = self.symbols(node.child_by_field_name("function"), scope, depth)
            return self._results(called, depth)
        found: set[str] = set()
        for part in _parts(node):
            found |= self.symbols(part, scope, depth)
        return frozenset(found)

    def symbols_of_name(self, name: str, scope: Scope, depth: int = 0) -> frozenset[str]:
        """The symbols of a name in a scope; a name that is bound nowhere stands for itself."""
        bindings = scope.lookup(name)
        return self._of_bindings(bindings, depth) if bindings else frozenset({name})

    def _of_bindings(self, bindings: Iterable[Binding], depth: int) -> frozenset[str]:
        found: set[str] = set()
        for binding in bindings:
            if binding.symbol is not None:
                found.add(binding.symbol)
                continue
            if binding.node is None:
                return _NONE
            if binding.node.type == "none":
                continue
            symbols = self.symbols(binding.node, binding.scope, depth)
            if not symbols:
                return _NONE
            if binding.element is not None:
                symbols = frozenset(f"{symbol}#{binding.element}" for symbol in symbols)
            found |= symbols
        return frozenset(found)

    def _of_attribute(self, node: Node, scope: Scope, depth: int) -> frozenset[str]:
        name_node = node.child_by_field_name("attribute")
        object_node = node.child_by_field_name("object")
        if name_node is None or object_node is None:
            return _NONE
        name = self.source.of(name_node)
        assigned = scope.module.attributes.get(self.source.of(node))
        if assigned:
            return self._of_bindings(assigned, depth)
        found: set[str] = set()
        for symbol in self.symbols(object_node, scope, depth):
            owner = self.classes.get(symbol.removesuffix("()"))
            if owner is not None and name in owner.attributes:
                found |= self._of_bindings(owner.attributes[name], depth)
            elif owner is not None and name in owner.bindings:
                found |= self._of_bindings(owner.bindings[name], depth)
            else:
                found.add(f"{symbol}.{name}")
        return frozenset(found)

    def _results(self, called: frozenset[str], depth: int) -> frozenset[str]:
        found: set[str] = set()
        for symbol in called:
            if symbol in self.returns:
                for node, scope in self.returns[symbol]:
                    found |= self.symbols(node, scope, depth)
            else:
                found.add(f"{symbol}()")
        return frozenset(found)

    def value(self, node: Node | None, scope: Scope, depth: int = 0) -> Any:
        """The value of an expression; with a default for what the environment may set, that."""
        if node is None or depth > _DEEPEST:
            return UNKNOWN
        if node.id not in self._values:
            self._values[node.id] = UNKNOWN
            self._values[node.id] = self._evaluate(node, scope, depth + 1)
        return self._values[node.id]

    def _evaluate(self, node: Node, scope: Scope, depth: int) -> Any:
        kind = node.type
        if kind in _LITERALS:
            return self._literal(node)
        if kind in ("list", "tuple"):
            items = [self.value(item, scope, depth) for item in node.named_children]
            return UNKNOWN if UNKNOWN in items else items
        handlers: dict[str, Callable[[Node, Scope, int], Any]] = {
            "identifier": self._of_identifier,
            "attribute": self._option,
            "call": self._of_call,
        }
        if kind == "parenthesized_expression":
            return self.value(node.named_child(0), scope, depth)
        return handlers.get(kind, self._of_operator)(node, scope, depth)

    def _of_identifier(self, node: Node, scope: Scope, depth: int) -> Any:
        return self._of_bound(scope.lookup(self.source.of(node)), depth)

    def _literal(self, node: Node) -> Any:
        if node.type == "string" and any(it.type == "interpolation" for it in node.named_children):
            return UNKNOWN
        try:
            return ast.literal_eval(self.source.of(node))
        except (ValueError, SyntaxError):
            return UNKNOWN

    def _of_bound(self, bindings: list[Binding], depth: int) -> Any:
        values = [
            self.value(it.node, it.scope, depth)
            if it.node is not None and it.element is None
            else UNKNOWN
            for it in bindings
        ]
        if not values or any(value is UNKNOWN or value != values[0] for value in values):
            return UNKNOWN
        return values[0]

    def _option(self, node: Node, scope: Scope, depth: int) -> Any:
        symbols = self.symbols(node.child_by_field_name("object"), scope, depth)
        name = node.child_by_field_name("attribute")
        if name is None or not symbols or not symbols <= _OPTIONS:
            return UNKNOWN
        default = self.options.get(self.source.of(name))
        return UNKNOWN if default is None else self.value(*default, depth)

    def _of_call(self, node: Node, scope: Scope, depth: int) -> Any:
        called = self.symbols(node.child_by_field_name("function"), scope, depth)
        arguments = node.child_by_field_name("arguments")
        items = [] if arguments is None else arguments.named_children
        if called and called <= _ENVIRONMENT and len(items) == 2:
            return self.value(items[1], scope, depth)
        convert = _CONVERSIONS.get(next(iter(called))) if len(called) == 1 else None
        if convert is None or len(items) != 1:
            return UNKNOWN
        value = self.value(items[0], scope, depth)
        try:
            return UNKNOWN if value is UNKNOWN else convert(value)
        except (TypeError, ValueError):
            return UNKNOWN

    def _of_operator(self, node: Node, scope: Scope, depth: int) -> Any:
        sign = node.child_by_field_name("operator")
        word = "" if sign is None else sign.type
        if node.type == "unary_operator" and word == "-":
            value = self.value(node.child_by_field_name("argument"), scope, depth)
            return -value if isinstance(value, (int, float)) else UNKNOWN
        left = self.value(node.child_by_field_name("left"), scope, depth)
        right = self.value(node.child_by_field_name("right"), scope, depth)
        if node.type == "boolean_operator" and word == "or":
            return right if left is UNKNOWN or not left else left
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if node.type != "binary_operator" or not numbers or word not in _OPERATORS:
            return UNKNOWN
        if word == "**" and abs(right) > 64:  # no giants while somebody types
            return UNKNOWN
        try:
            return _OPERATORS[word](left, right)
        except ArithmeticError:
            return UNKNOWN


_LITERALS = frozenset(
    {"string", "concatenated_string", "integer", "float", "true", "false", "none"}
)


def _parts(node: Node) -> list[Node | None]:
    """The expressions whose value an expression may have."""
    if node.type in ("parenthesized_expression", "await"):
        return [node.named_child(0)]
    if node.type == "named_expression":
        return [node.child_by_field_name("value")]
    if node.type == "conditional_expression":
        return [node.named_children[0], node.named_children[-1]]
    if node.type == "boolean_operator":
        return [node.child_by_field_name("left"), node.child_by_field_name("right")]
    return []
