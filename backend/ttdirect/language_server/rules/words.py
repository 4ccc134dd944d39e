"""Names that several rules look for, and small questions that several of them ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttdirect.language_server.analysis.expressions import Expression
from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.rules.finding import Edit

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.python import Call, PythonFacts

APPS = ("flask.Flask()", "flask.app.Flask()")
APP_RUN = tuple(f"{app}.run" for app in APPS)
SERVE = ("ttdirect.server.serve",)

_GENERATORS = (
    "ttdirect.generator.Generator",
    "ttdirect.generator.generator.Generator",
    "models.tt_transformers.tt.generator.Generator",
)
_FORWARDS = ("prefill_forward_text", "decode_forward_text", "decode_forward", "prefill_forward")
PREFILLS = tuple(f"{name}().prefill_forward_text" for name in _GENERATORS)
DECODES = tuple(
    f"{name}().{method}"
    for name in _GENERATORS
    for method in ("decode_forward_text", "decode_forward")
)
FORWARDS = tuple(f"{name}().{method}" for name in _GENERATORS for method in _FORWARDS)
CREATE_MODEL = (
    "ttdirect.generator.create_tt_model",
    "ttdirect.generator.model.create_tt_model",
    "models.tt_transformers.tt.common.create_tt_model",
)
LOADERS = (
    *_GENERATORS,
    *CREATE_MODEL,
    "ttnn.open_mesh_device",
    "ttdirect.generator.open_mesh_device",
    "ttdirect.device.open_mesh",
)
ENGINES = ("ttdirect.engine.Engine", "ttdirect.engine.engine.Engine")
ASKS = tuple(f"{engine}().{method}" for engine in ENGINES for method in ("ask", "complete"))

_LOCKS = tuple(
    f"{module}.{kind}()"
    for module in ("threading", "multiprocessing", "asyncio")
    for kind in ("Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition")
)
_LOCK_WORDS = re.compile(r"lock|mutex|semaphore|exclusive|serial|synchron", re.IGNORECASE)
_LOOPBACK = re.compile(r"127(\.\d+){3}|localhost|::1|\[::1\]")


def is_loopback(host: str) -> bool:
    """Whether only this computer reaches a host's address."""
    return _LOOPBACK.fullmatch(host) is not None


def is_lock(expression: Expression) -> bool:
    """Whether an expression is a lock, or is called like one."""
    return expression.is_one_of(_LOCKS) or _LOCK_WORDS.search(expression.text) is not None


def holds_lock(call: Call, facts: PythonFacts) -> bool:
    """Whether a call runs under a lock that its own function has taken."""
    if any(is_lock(it) for it in call.held):
        return True
    function = call.function
    if function is None:
        return False
    if any(_LOCK_WORDS.search(it.text) for it in function.decorators):
        return True
    calls = facts.calls_in.get(function.symbol, [])
    return any(it.name == "acquire" and it.span.start < call.span.start for it in calls)


def may_be_cached(way: tuple[Call, ...], facts: PythonFacts) -> bool:
    """Whether a function on the way has decorators, which may run it once and no more."""
    called = (facts.called_function(call) for call in way)
    return any(function is not None and function.decorators for function in called)


def literal_behind(expression: Expression) -> Expression | None:
    """The literal that an expression gets its value from, if it is a single one."""
    for _ in range(6):
        node, names = expression.node, expression.names
        if node.type in ("string", "integer", "float", "true", "false"):
            return expression
        behind = None
        if node.type == "identifier":
            bindings = expression.scope.lookup(expression.text)
            if len(bindings) == 1 and bindings[0].element is None and bindings[0].node is not None:
                behind = (bindings[0].node, bindings[0].scope)
        elif node.type == "attribute":
            behind = names.options.get(expression.text.rpartition(".")[2])
        if behind is None:
            return None
        expression = Expression(*behind, names)
    return None


def missing_import(facts: PythonFacts, module: str, name: str = "") -> tuple[Edit, ...]:
    """The edit that imports a module, or a name of one; none where it is there already.

    The line goes where the file's first imports end, else to a place behind the docstring.
    """
    wanted = f"{module}.{name}" if name else module
    bound = facts.module.bindings.get(name or module, [])
    if any(binding.symbol == wanted for binding in bound):
        return ()
    line = f"from {module} import {name}" if name else f"import {module}"
    newline = "\r\n" if "\r\n" in facts.source.text else "\n"
    end = facts.last_import_end
    if end:
        return (Edit(Span(end, end), newline + line),)
    first = next((it for it in facts.root.named_children if it.type != "comment"), None)
    if (
        first is not None
        and first.type == "expression_statement"
        and first.named_children[0].type == "string"
    ):
        end = facts.source.at(first.end_byte)
        return (Edit(Span(end, end), newline + newline + line),)
    start = 0 if first is None else facts.source.at(first.start_byte)
    return (Edit(Span(start, start), line + newline),)


def runs_of(facts: PythonFacts) -> list[Call]:
    """The calls that start Flask's own server."""
    return facts.calls_of(*APP_RUN)
