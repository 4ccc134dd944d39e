"""Numbers outside of what the Generator API, the engine or TCP can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import (
    APP_RUN,
    ASKS,
    CREATE_MODEL,
    ENGINES,
    SERVE,
    literal_behind,
)
from ttdirect.schema.chat import CHAT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.expressions import Expression
    from ttdirect.language_server.analysis.python import Call

_BATCHES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class _Limit:
    """What a number has to be, in words, and the number next to a wrong one."""

    meaning: str
    nearest: Callable[[Any], Any]

    def allows(self, value: float) -> bool:
        return self.nearest(value) == value


def _between(low: float, high: float) -> Callable[[Any], Any]:
    return lambda value: min(max(value, low), high)


def _power_of_two(value: float) -> int:
    return max(128, 1 << (int(value) - 1).bit_length()) if value > 0 else 128


_BATCH = _Limit("1, 2, 4, 8, 16 or 32", lambda it: min(_BATCHES, key=lambda size: abs(size - it)))
_CONTEXT = _Limit("a power of two of at least 128", _power_of_two)
_AT_LEAST_0 = _Limit("0 or more", lambda it: max(it, 0))
_AT_LEAST_1 = _Limit("1 or more", lambda it: max(it, 1))
_PORT = _Limit("a port from 1 to 65535", _between(1, 65535))
_FIELDS = {
    field.name: _Limit(field.meaning, _between(field.low, field.high))
    for field in CHAT_FIELDS
    # What `low` itself may not be has no nearest number.
    if field.kind in ("integer", "number") and not field.open_low
}

_LIMITS: tuple[tuple[tuple[str, ...], dict[str, tuple[int | None, _Limit]]], ...] = (
    (
        ENGINES,
        {
            "max_seq_len": (None, _CONTEXT),
            "max_queued": (None, _AT_LEAST_0),
            "block_size": (None, _AT_LEAST_1),
            "num_blocks": (None, _AT_LEAST_1),
            "data_parallel": (None, _AT_LEAST_1),
        },
    ),
    (CREATE_MODEL, {"max_batch_size": (2, _BATCH)}),
    (SERVE, {"port": (3, _PORT)}),
    (APP_RUN, {"port": (1, _PORT)}),
    (ASKS, {name: (None, limit) for name, limit in _FIELDS.items()}),
)


def _check(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None:
        return
    seen: set[object] = set()
    for symbols, limits in _LIMITS:
        for call in facts.calls_of(*symbols):
            for name, (position, limit) in limits.items():
                argument = call.argument(position, name)
                yield from _found(name, argument, limit, seen)
            if symbols == ENGINES:
                yield from _batches_of(call, seen)


def _batches_of(call: Call, seen: set[object]) -> Iterator[Found]:
    """The engine's batch is that of all its models together."""
    batch, parallel = call.argument(None, "max_batch_size"), call.argument(None, "data_parallel")
    parts = 1 if parallel is None else parallel.value
    if batch is None or not isinstance(parts, int) or parts < 1:
        return
    if parts == 1:
        yield from _found("max_batch_size", batch, _BATCH, seen)
        return
    whole = _Limit(
        f"{parts} (the models) times 1, 2, 4, 8, 16 or 32",
        lambda it: parts * _BATCH.nearest(it / parts),
    )
    yield from _found("max_batch_size", batch, whole, seen)


def _found(
    name: str, argument: Expression | None, limit: _Limit, seen: set[object]
) -> Iterator[Found]:
    value = None if argument is None else argument.value
    if argument is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    if limit.allows(value):
        return
    # Where the number itself stands, so that a constant is found once and not at each use; where
    # something is computed from it, it is the same mistake.
    place = literal_behind(argument) or argument
    is_known = place.span.start in seen or (place is argument and (name, value) in seen)
    if is_known:
        return
    seen |= {place.span.start, (name, value)}
    fixes: tuple[Fix, ...] = ()
    if place.value == value:
        nearest = limit.nearest(value)
        fixes = (Fix(f"Use {nearest}", (Edit(place.span, repr(nearest)),)),)
    yield place.span, f"{name} must be {limit.meaning}, not {value}.", fixes


RULE = Rule(
    code="TT006",
    name="limit-out-of-range",
    severity=Severity.ERROR,
    why="The Generator API has programs for certain batch sizes and prompt lengths only; the "
    "server refuses to start with others, after it has been given time to load.",
    bad="""\
from ttdirect.engine import Engine

MAX_BATCH_SIZE = 24

engine = Engine(print, max_batch_size=MAX_BATCH_SIZE)
""",
    good="""\
from ttdirect.engine import Engine

MAX_BATCH_SIZE = 32

engine = Engine(print, max_batch_size=MAX_BATCH_SIZE)
""",
    check=_check,
)
