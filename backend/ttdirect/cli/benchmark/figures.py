"""From samples to figures: percentiles and rates."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.cli.benchmark.load import Case, Outcome


@dataclass(frozen=True)
class Percentiles:
    """In milliseconds; None where nothing was measured."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True)
class Figures:
    """What one case showed.

    Args:
        clients: how many asked at the same time.
        prompt_tokens: what was asked for.
        prompt_tokens_sent: the median by the server's count, None without one.
        cached_prompt_tokens: the share of them that the server had cached, None if it said none.
        requests: complete answers.
        failures: the others, by kind.
        seconds: from the first question to the last answer.
        output_tokens: of all complete answers.
        output_tokens_counted_by: "server", or "client": one for each event with text.
        tokens_per_event: more than one where a server sends several tokens at once; `itl_ms` is
            then the time between events.
        tokens_per_second: of all answers together.
        tokens_per_second_per_user: of one answer after its first token; the median.
        requests_per_second: complete answers.
        ttft_ms: time to the first event with text.
        itl_ms: time between events with text.
        end_to_end_ms: time to the last event.
        client_lag_ms: how late this client's own stamps may be (95th percentile).
    """

    clients: int
    prompt_tokens: int
    prompt_tokens_sent: int | None
    cached_prompt_tokens: float | None
    requests: int
    failures: dict[str, int]
    seconds: float
    output_tokens: int
    output_tokens_counted_by: str
    tokens_per_event: float | None
    tokens_per_second: float
    tokens_per_second_per_user: float | None
    requests_per_second: float
    ttft_ms: Percentiles
    itl_ms: Percentiles
    end_to_end_ms: Percentiles
    client_lag_ms: float | None


def summarise(case: Case, outcome: Outcome) -> Figures:
    """Return the figures of a case, also of one that was interrupted."""
    samples = list(outcome.samples)
    tokens = sum(sample.tokens for sample in samples)
    events = sum(sample.events for sample in samples)
    sent = [s.prompt_tokens for s in samples if s.prompt_tokens is not None]
    cached = [s.cached_tokens for s in samples if s.cached_tokens is not None]
    speeds = [(s.tokens - 1) / sum(s.gaps) for s in samples if s.tokens > 1 and sum(s.gaps) > 0]
    by_server = bool(samples) and all(sample.counted_by_server for sample in samples)
    return Figures(
        clients=case.clients,
        prompt_tokens=case.prompt_tokens,
        prompt_tokens_sent=round(statistics.median(sent)) if sent else None,
        cached_prompt_tokens=round(sum(cached) / sum(sent), 3) if cached and sent else None,
        requests=len(samples),
        failures=dict(outcome.failures.most_common()),
        seconds=round(outcome.seconds, 3),
        output_tokens=tokens,
        output_tokens_counted_by="server" if by_server else "client",
        tokens_per_event=round(tokens / events, 2) if events else None,
        tokens_per_second=_rate(tokens, outcome.seconds),
        tokens_per_second_per_user=round(statistics.median(speeds), 2) if speeds else None,
        requests_per_second=_rate(len(samples), outcome.seconds),
        ttft_ms=percentiles([sample.ttft for sample in samples]),
        itl_ms=percentiles([gap for sample in samples for gap in sample.gaps]),
        end_to_end_ms=percentiles([sample.duration for sample in samples]),
        client_lag_ms=percentiles(outcome.lags).p95,
    )


def percentiles(seconds: Sequence[float]) -> Percentiles:
    """Return the percentiles, linearly between the two nearest values."""
    if not seconds:
        return Percentiles(None, None, None, None)
    # Python 3.12 and earlier want two values at least.
    cuts = statistics.quantiles(
        [*seconds, *seconds[:1]][: max(2, len(seconds))], n=100, method="inclusive"
    )
    return Percentiles(*(round(cuts[rank - 1] * 1000, 3) for rank in (50, 90, 95, 99)))


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds > 0 else 0.0
