"""The figures as people read them: tables of at most 100 columns, and some notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.cli.benchmark.figures import Figures, Percentiles
    from ttdirect.hardware.published import Figure

_WIDTH = 100
# Stamps that may be later than this are worth a word.
_LAG_MS = 5.0


def report(cases: Sequence[Figures], published: Sequence[Figure] = ()) -> str:
    """Return the tables of all cases, ending in a newline.

    Args:
        cases: what was measured.
        published: what others say about this model on this device, shown beside it.
    """
    expected = list(_expected(cases, published))
    return "\n".join([*_throughput(cases), "", *_latency(cases), *expected, *_notes(cases), ""])


def _throughput(cases: Sequence[Figures]) -> Iterator[str]:
    yield ("clients  prompt  requests  failed  seconds  out tokens  tokens/s  per user  requests/s")
    for case in cases:
        prompt = case.prompt_tokens_sent or case.prompt_tokens
        yield (
            f"{case.clients:>7}  {prompt:>6}  {case.requests:>8}  "
            f"{sum(case.failures.values()):>6}  {case.seconds:>7.1f}  {case.output_tokens:>10}  "
            f"{case.tokens_per_second:>8.1f}  {_number(case.tokens_per_second_per_user):>8}  "
            f"{case.requests_per_second:>10.2f}"
        )


def _latency(cases: Sequence[Figures]) -> Iterator[str]:
    yield "clients  prompt  milliseconds                      p50        p90        p95        p99"
    for case in cases:
        prompt = case.prompt_tokens_sent or case.prompt_tokens
        head = f"{case.clients:>7}  {prompt:>6}"
        for name, row in (
            ("time to first token", case.ttft_ms),
            ("between tokens", case.itl_ms),
            ("whole answer", case.end_to_end_ms),
        ):
            yield f"{head:15}  {name:<24}  {_row(row)}"
            head = ""


def _expected(cases: Sequence[Figures], published: Sequence[Figure]) -> Iterator[str]:
    """Yield the cases with as many clients as something published has, if there are any."""
    by_batch = {figure.batch: figure for figure in published}
    rows = [(case, by_batch[case.clients]) for case in cases if case.clients in by_batch]
    if not rows:
        return
    yield ""
    yield f"clients  prompt  on {rows[0][1].system:<18}  measured  published"
    for case, figure in rows:
        head = f"{case.clients:>7}  {case.prompt_tokens_sent or case.prompt_tokens:>6}"
        speed = _number(case.tokens_per_second_per_user)
        yield (
            f"{head}  {'tokens/s per user':<21}  {speed:>8}  {figure.tokens_per_second:>9.1f}  "
            f"{figure.source.state}"
        )
        first = _number(case.ttft_ms.p50)
        yield (
            f"{'':15}  {'first token, ms (p50)':<21}  {first:>8}  {figure.ttft_ms:>9.1f}  "
            f"with prompts of {figure.source.prompt}"
        )


def _is_off(case: Figures) -> bool:
    """Return whether prompts miss what was asked for by more than a few words."""
    sent = case.prompt_tokens_sent
    return sent is not None and abs(sent - case.prompt_tokens) > 4 + case.prompt_tokens // 10


def _row(row: Percentiles) -> str:
    values = (row.p50, row.p90, row.p95, row.p99)
    return "  ".join(f"{_number(value):>9}" for value in values)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _notes(cases: Sequence[Figures]) -> Iterator[str]:
    for case in cases:
        for kind, count in case.failures.items():
            where = f"concurrency {case.clients}, prompt {case.prompt_tokens}: "
            yield f"failed: {where}{count} x {neutralise(kind)}"[:_WIDTH]
    answered = [case for case in cases if case.requests]
    if any(case.output_tokens_counted_by == "client" for case in answered):
        yield "note: the server counts no tokens; each event with text is taken for one"
    if any((case.tokens_per_event or 1) > 1.1 for case in answered):
        yield "note: the server sends several tokens at once; 'between tokens' is between events"
    if any(_is_off(case) for case in answered):
        yield "note: the server read prompts of another length than asked for; templates may cut"
        yield "      long ones (see --completions)"
    if any(case.cached_prompt_tokens for case in answered):
        share = max(case.cached_prompt_tokens or 0.0 for case in answered)
        yield f"note: the server had up to {share:.0%} of a case's prompt tokens in its cache"
    lag = max((case.client_lag_ms or 0.0 for case in cases), default=0.0)
    if lag > _LAG_MS:
        yield f"note: this client woke up to {lag:.0f} ms late (p95), so its stamps may be as late;"
        yield "      run it on another computer, or with fewer clients"
