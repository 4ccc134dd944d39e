"""Whether a script has already what a recipe would add, judged by its structure."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, TypeAlias

from ttdirect.script.recipes.model import Refusal
from ttdirect.script.recipes.names import imported, meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.script.recipes.model import Sign, SignKind
    from ttdirect.script.recipes.script import Script

    Trait: TypeAlias = tuple[SignKind, str | int]

_HOOKS = {"before_request", "after_request", "teardown_request"}


def find_sign(script: Script, signs: Sequence[Sign]) -> Refusal | None:
    """Return where a script shows one of the signs, as the answer to who wants to add it."""
    for sign in signs:
        line = script.traits.get((sign.kind, sign.value))
        if sign.kind == "prefix":
            line = next(_lines_with_prefix(script, str(sign.value)), None)
        if line is not None:
            return Refusal(f"Already there: {sign.what} in line {line}.", line, is_there=True)
    return None


def read_traits(script: Script) -> dict[Trait, int]:
    """Everything that a sign may be, each with the first line that shows it."""
    found: dict[Trait, int] = {}
    for node in script.nodes:
        if isinstance(node, (ast.stmt, ast.expr, ast.keyword)):
            for trait in _traits_of(node):
                found.setdefault(trait, node.lineno)
    for call, scopes in script.calls:
        found.setdefault(("call", meaning_of(call.func, scopes) or ""), call.lineno)
    return found


def _traits_of(node: ast.stmt | ast.expr | ast.keyword) -> Iterator[Trait]:
    match node:
        case ast.Constant(value=str() as value):
            yield "string", value
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            yield "number", value
        case ast.Attribute(attr=name):
            yield "attribute", name
        case ast.keyword(arg=str() as name):
            yield "argument", name
        case ast.Import() | ast.ImportFrom():
            for _, meaning in imported(node):
                yield "module", (meaning or "").partition(".")[0]
        case ast.FunctionDef(decorator_list=decorators):
            if any(isinstance(it, ast.Attribute) and it.attr in _HOOKS for it in decorators):
                for name in _called(node):
                    yield "hook", name
        case _:
            pass


def _called(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the names of what a function calls, without what stands before the last dot."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
                yield name
            case _:
                pass


def _lines_with_prefix(script: Script, prefix: str) -> Iterator[int]:
    for (kind, value), line in script.traits.items():
        if kind == "string" and str(value).startswith(prefix):
            yield line
