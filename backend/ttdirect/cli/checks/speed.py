"""How fast the running server has been, beside what is published for its model and board."""

from __future__ import annotations

import re

from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.local_server import ask_health, get
from ttdirect.cli.terminal import neutralise
from ttdirect.hardware.published import describe, published_for


def check_speed(port: int) -> list[Check]:
    """Return the check of the server on `port`, none while there is nothing to tell.

    It counts all answers since the server's start, alone or together, short or long: so it says
    whether a board does about what it should, and `ttdirect bench` says it exactly.
    """
    report = ask_health(port)
    if report.get("status") != "healthy":
        return []
    metrics = get(port, "/metrics").decode("utf-8", "replace")
    tokens, seconds = _counted(metrics, "inter_token_latency_seconds")
    answers, waited = _counted(metrics, "time_to_first_token_seconds")
    if not tokens or not seconds or not answers:
        return []
    model, device = (neutralise(str(report.get(name))) for name in ("model", "device"))
    expected = "; ".join(describe(figure) for figure in published_for(model, device))
    return [
        Check(
            "measured",
            "ok",
            f"{model} on {device}: {tokens / seconds:.1f} tokens/s each, first token after "
            f"{waited / answers * 1e3:.0f} ms, the mean of {answers:.0f} answers since the "
            f"server's start; {f'expected for {expected}' if expected else 'nothing is published'}",
        )
    ]


def _counted(metrics: str, name: str) -> tuple[float, float]:
    """Return count and sum of a histogram in Prometheus' text, zeros if it is not there."""
    values = (
        re.search(rf"^ttdirect:{name}_{part}(?:\{{[^\n]*\}})? (\S+)", metrics, re.MULTILINE)
        for part in ("count", "sum")
    )
    count, total = (float(value[1]) if value else 0.0 for value in values)
    return count, total
