"""Two servers' figures side by side, and how many times as fast the first one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.cli.benchmark.figures import Figures


def comparison(first: Sequence[Figures], second: Sequence[Figures]) -> str:
    """Return a table of the cases that both servers were asked, ending in a newline.

    Args:
        first: the figures of one server, case by case.
        second: those of the other, in the same order; fewer after an interruption.
    """
    lines = ["clients  prompt  figure                          first     second  times as fast"]
    for one, other in zip(first, second, strict=False):
        head = f"{one.clients:>7}  {one.prompt_tokens:>6}"
        for name, value, others, ratio in _rows(one, other):
            cells = f"{_number(value):>9}  {_number(others):>9}  {_number(ratio, 2):>13}"
            lines.append(f"{head:15}  {name:<26}  {cells}")
            head = ""
    return "\n".join([*lines, ""])


def _rows(
    one: Figures, other: Figures
) -> Iterator[tuple[str, float | None, float | None, float | None]]:
    """Yield name, both values, and how many times as good the first one is."""
    for name, a, b in (
        ("tokens/s, all together", one.tokens_per_second, other.tokens_per_second),
        ("tokens/s per user", one.tokens_per_second_per_user, other.tokens_per_second_per_user),
    ):
        yield name, a, b, a / b if a and b else None
    for name, a, b in (
        ("first token, ms (p50)", one.ttft_ms.p50, other.ttft_ms.p50),
        ("first token, ms (p99)", one.ttft_ms.p99, other.ttft_ms.p99),
        ("between tokens, ms (p50)", one.itl_ms.p50, other.itl_ms.p50),
        ("whole answer, ms (p50)", one.end_to_end_ms.p50, other.end_to_end_ms.p50),
    ):
        yield name, a, b, b / a if a and b else None
    failed = [float(sum(figures.failures.values())) for figures in (one, other)]
    if any(failed):
        yield "failed requests", failed[0], failed[1], None


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
