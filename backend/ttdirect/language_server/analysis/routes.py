"""The routes of a Flask script, however they are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ttdirect.language_server.analysis.python import Route

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.expressions import Expression
    from ttdirect.language_server.analysis.python import Call, Function, PythonFacts

_METHODS = ("get", "post", "put", "delete", "patch")


def find_routes(facts: PythonFacts) -> None:
    """Add the routes of decorators, of `add_url_rule`, and of views that are classes."""
    by_span = {call.span: call for call in facts.calls}
    for function in facts.functions.values():
        for decorator in function.decorators:
            call = by_span.get(decorator.span)
            if call is not None and call.name in ("route", *_METHODS):
                _add(facts, call, function, call.name)
    for call in facts.calls:
        if call.name == "add_url_rule":
            view = call.argument(2, "view_func")
            if view is not None:
                _add_view(facts, call, view)
    facts.routes.sort(key=lambda route: route.span.start)


def _add_view(facts: PythonFacts, call: Call, view: Expression) -> None:
    function = facts.function_named(view)
    if function is not None:
        _add(facts, call, function, "route")
        return
    for symbol in view.symbols:  # `.Chat.as_view()`
        owner = symbol.removesuffix(".as_view()")
        for method in _METHODS:
            function = facts.functions.get(f"{owner}.{method}")
            if function is not None and owner != symbol:
                _add(facts, call, function, method)


def _add(facts: PythonFacts, call: Call, function: Function, word: str) -> None:
    path = call.argument(0, "rule")
    value = None if path is None else path.value
    if not isinstance(value, str) or not value.startswith("/"):
        return
    methods = (word.upper(),) if word in _METHODS else _methods(call)
    facts.routes.append(Route(value, methods, function, call.span))


def _methods(call: Call) -> tuple[str, ...]:
    given = call.keywords.get("methods")
    value = ["GET"] if given is None else given.value
    if not isinstance(value, list):
        return ()
    return tuple(str(it).upper() for it in cast("list[Any]", value))
