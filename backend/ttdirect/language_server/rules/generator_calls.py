"""Calls of a Generator with wrong shapes, or that its version of tt-metal does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ttdirect.language_server.analysis.expressions import UNKNOWN, Expression
from ttdirect.language_server.rules.finding import (
    Context,
    Edit,
    Fix,
    Found,
    Parameters,
    Rule,
    Severity,
)
from ttdirect.language_server.rules.words import CREATE_MODEL, DECODES, PREFILLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.python import Call, PythonFacts

_FILLED = ("torch.zeros", "torch.ones", "torch.empty", "torch.rand", "torch.randn")
_KV_CACHES = tuple(f"{name}()#2" for name in CREATE_MODEL)
_TT_METAL = "models.tt_transformers.tt.generator.Generator()."

Shape = tuple[int, ...]


def _shapes(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None or "_forward" not in document.text:
        return
    sizes = _batch_sizes(facts)
    for call in facts.calls_of(*PREFILLS):
        yield from _kv_cache(call)
        yield from _prefill(call)
    for call in facts.calls_of(*DECODES):
        yield from _kv_cache(call)
        yield from _decode(call, sizes)


def _batch_sizes(facts: PythonFacts) -> set[Any]:
    arguments = [call.argument(2, "max_batch_size") for call in facts.calls_of(*CREATE_MODEL)]
    return {UNKNOWN if it is None else it.value for it in arguments}


def _kv_cache(call: Call) -> Iterator[Found]:
    cache = call.argument(3 if call.name.startswith("decode") else 2, "kv_cache")
    if cache is not None and cache.is_one_of(_KV_CACHES):
        fix = Fix("Put it into a list", (Edit(cache.span, f"[{cache.text}]"),))
        message = f"kv_cache must be a list with one cache for each model: write [{cache.text}]."
        yield cache.span, message, (fix,)


def _prefill(call: Call) -> Iterator[Found]:
    tokens = call.argument(0, "tokens")
    shape = None if tokens is None else _shape(tokens)
    if tokens is not None and shape is not None and len(shape) != 2:
        yield tokens.span, f"tokens must be [prompts, longest prompt], not {list(shape)}.", ()
        return
    count = None if shape is None else shape[0]
    table = call.argument(1, "page_table")
    yield from _table(table, count, "prompt")
    for position, name in ((3, "prompt_lens"), (4, "empty_slots")):
        argument = call.argument(position, name)
        value = None if argument is None else argument.value
        if argument is None or count is None or not isinstance(value, list):
            continue
        size = len(cast("list[Any]", value))
        if size != count:
            message = f"{name} must have one entry for each of {count} prompts, not {size}."
            yield argument.span, message, ()


def _decode(call: Call, sizes: set[Any]) -> Iterator[Found]:
    tokens, positions = call.argument(0, "tokens"), call.argument(1, "start_pos")
    shape = None if tokens is None else _shape(tokens)
    size = next(iter(sizes)) if len(sizes) == 1 else None
    rows = size if isinstance(size, int) else None
    if tokens is not None and shape is not None:
        if len(shape) != 2 or shape[1] != 1:
            yield tokens.span, f"tokens must be [max_batch_size, 1], not {list(shape)}.", ()
        elif rows is not None and shape[0] != rows:
            message = (
                f"tokens must have {rows} rows, one for each of max_batch_size, not {shape[0]}."
            )
            yield tokens.span, message, ()
        rows = rows or shape[0]
    places = None if positions is None else _shape(positions)
    if positions is not None and places is not None:
        if len(places) != 1:
            message = f"start_pos must be [max_batch_size], one position a row, not {list(places)}."
            yield positions.span, message, ()
        elif rows is not None and places[0] != rows:
            message = f"start_pos must have {rows} entries, -1 for idle rows, not {places[0]}."
            yield positions.span, message, ()
    yield from _table(call.argument(2, "page_table"), rows, "row of the batch")


def _table(table: Expression | None, rows: int | None, noun: str) -> Iterator[Found]:
    if table is None:
        return
    shape = _shape(table)
    if shape is None:
        return
    if len(shape) != 2:
        yield table.span, f"page_table must be [{rows or 'rows'}, blocks], not {list(shape)}.", ()
    elif rows is not None and shape[0] != rows:
        message = f"page_table must have {rows} rows, one for each {noun}, not {shape[0]}."
        yield table.span, message, ()


def _shape(expression: Expression) -> Shape | None:
    """The shape of a tensor that is made in sight, as with torch.zeros."""
    node, scope, names = expression.node, expression.scope, expression.names
    if node.type == "identifier":
        bindings = scope.lookup(expression.text)
        if len(bindings) != 1 or bindings[0].node is None or bindings[0].element is not None:
            return None
        return _shape(Expression(bindings[0].node, bindings[0].scope, names))
    return _made_shape(expression) if node.type == "call" else None


def _made_shape(expression: Expression) -> Shape | None:
    """The shape of what a call of torch makes."""
    node, scope, names = expression.node, expression.scope, expression.names
    function, brackets = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or brackets is None:
        return None
    maker = Expression(function, scope, names)
    items = [it for it in brackets.named_children if it.type not in ("keyword_argument", "comment")]
    values = [Expression(it, scope, names).value for it in items]
    if not items:
        return None
    if maker.is_one_of(("torch.tensor",)):
        return _nesting(Expression(items[0], scope, names))
    first_is_shape = isinstance(values[0], list) and maker.is_one_of((*_FILLED, "torch.full"))
    are_sizes = maker.is_one_of(_FILLED) or (maker.is_one_of(("torch.arange",)) and len(items) == 1)
    if first_is_shape:
        return _as_shape(values[0])
    return _as_shape(values) if are_sizes else None


def _as_shape(values: Any) -> Shape | None:
    sizes = cast("list[Any]", values)
    return tuple(sizes) if all(type(it) is int and it >= 0 for it in sizes) else None


def _nesting(expression: Expression) -> Shape | None:
    """The shape of nested lists; what they hold need not be known."""
    node = expression.node
    if node.type != "list":
        return () if node.type in ("integer", "float", "unary_operator") else None
    items = [it for it in node.named_children if it.type != "comment"]
    if any(it.type in ("list_splat", "list_comprehension") for it in items):
        return None
    shapes = {_nesting(Expression(it, expression.scope, expression.names)) for it in items}
    inner = next(iter(shapes)) if len(shapes) == 1 else None
    return None if inner is None else (len(items), *inner)


def _signature(document: Document, context: Context) -> Iterator[Found]:
    facts, methods = document.python, context.generator
    if facts is None or not methods or "_forward" not in document.text:
        return
    for call in facts.calls:
        symbols = call.callee.symbols
        if len(symbols) != 1 or not next(iter(symbols)).startswith(_TT_METAL):
            continue
        yield from _differs(call, methods.get(call.name), context)


def _differs(call: Call, parameters: Parameters | None, context: Context) -> Iterator[Found]:
    where = f"The Generator of {context.tt_metal}"
    if parameters is None:
        if "_forward" in call.name:
            message = f"{where} has no {call.name}. ttdirect.engine.adapt evens out the versions."
            yield call.callee.span, message, ()
        return
    for name in call.keywords:
        if name not in parameters.names and not parameters.takes_any:
            yield call.keyword_spans[name], f"{where} takes no {name} in {call.name}.", ()
    # By name only: where the others stand differs as well, and may be right.
    lacking = sorted(parameters.required_names - set(call.keywords))
    if lacking and not call.takes_rest:
        message = f"{where} wants {', '.join(lacking)} in {call.name}."
        yield call.callee.span, message, ()


SHAPES = Rule(
    code="TT017",
    name="wrong-shape",
    severity=Severity.ERROR,
    why="A Generator works on a batch of a fixed size: tokens [B, 1], start_pos [B] with -1 for "
    "idle rows, page_table [B, blocks]; and on one KV cache for each model, in a list.",
    bad="""\
import torch
from ttdirect.generator import Generator


def step(model, args, mesh, kv_cache):
    generator = Generator([model], [args], mesh)
    tokens = torch.zeros(32, 1, dtype=torch.int64)
    positions = torch.full((32,), -1)
    table = torch.zeros(16, 64, dtype=torch.int32)
    return generator.decode_forward_text(tokens, positions, page_table=table, kv_cache=[kv_cache])
""",
    good="""\
import torch
from ttdirect.generator import Generator


def step(model, args, mesh, kv_cache):
    generator = Generator([model], [args], mesh)
    tokens = torch.zeros(32, 1, dtype=torch.int64)
    positions = torch.full((32,), -1)
    table = torch.zeros(32, 64, dtype=torch.int32)
    return generator.decode_forward_text(tokens, positions, page_table=table, kv_cache=[kv_cache])
""",
    check=_shapes,
)

_OF_2026 = Context(
    generator={
        "prefill_forward_text": Parameters(frozenset({"tokens", "page_table"})),
        "decode_forward": Parameters(frozenset({"tokens", "start_pos"})),
    },
    tt_metal="~/tt-metal",
)

SIGNATURE = Rule(
    code="TT018",
    name="other-generator",
    severity=Severity.ERROR,
    why="The Generator's methods change with tt-metal. The ones of the clone on this computer are "
    "read from its source; `ttdirect.engine.adapt` gives them all one shape.",
    bad="""\
from models.tt_transformers.tt.generator import Generator


def step(model, args, mesh, tokens, positions):
    generator = Generator([model], [args], mesh)
    return generator.decode_forward_text(tokens, positions)
""",
    good="""\
from models.tt_transformers.tt.generator import Generator
from ttdirect.engine import adapt


def step(model, args, mesh, tokens, positions):
    generator = adapt(Generator([model], [args], mesh))
    return generator.decode_forward_text(tokens, positions)
""",
    check=_signature,
    context=_OF_2026,
)
