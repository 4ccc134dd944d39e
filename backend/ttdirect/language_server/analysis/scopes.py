"""Names of a Python file and what is bound to them, scope by scope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tree_sitter import Node

ScopeKind = Literal["module", "function", "class"]


@dataclass(frozen=True, slots=True)
class Binding:
    """One place that gives a name a value.

    Args:
        node: the expression; None where there is none to look at, as for a loop's variable.
        scope: where the expression's own names are looked up.
        element: which element of the value, for `a, b = value`.
        symbol: what the name stands for, where no expression says so: imports and definitions.
    """

    node: Node | None
    scope: Scope
    element: int | None = None
    symbol: str | None = None


@dataclass(slots=True, eq=False)
class Scope:
    """The module, a function or a class.

    Args:
        kind: which of them.
        symbol: its name with those around it, such as `.Chat.post`; empty for the module.
        parent: the scope around it.
    """

    kind: ScopeKind
    symbol: str
    parent: Scope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, "list[Binding]"])
    attributes: dict[str, list[Binding]] = field(default_factory=dict[str, "list[Binding]"])
    """Of a class: what methods assign to `self.name`. Of the module: to `anything.name`."""
    outer_names: set[str] = field(default_factory=set[str])
    """What `global` and `nonlocal` name."""

    @property
    def module(self) -> Scope:
        """The module's scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    @property
    def class_scope(self) -> Scope | None:
        """The class whose method this is in."""
        scope: Scope | None = self
        while scope is not None and scope.kind != "class":
            scope = scope.parent
        return scope

    def bind(self, name: str, binding: Binding) -> None:
        """Note a binding where Python would make it."""
        home = self.module if name in self.outer_names else self
        home.bindings.setdefault(name, []).append(binding)

    def lookup(self, name: str) -> list[Binding]:
        """The bindings that a name in this scope means; empty for builtins and unknown names."""
        scope: Scope | None = self
        while scope is not None:
            # A class's names are not seen from its methods.
            sees = scope is self or scope.kind != "class"
            if sees and name in scope.bindings and name not in scope.outer_names:
                return scope.bindings[name]
            scope = scope.parent
        return []
