"""How many requests each route got, how they were answered, and how long that took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request, request_started
from prometheus_client import Counter, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

NO_ROUTE = "none"
"""Paths that no route has are counted together: a client must not make up labels."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


def count_requests(app: Flask, registry: CollectorRegistry, prefix: str) -> None:
    """Count every request of the app, by route and status.

    Args:
        app: the Flask app.
        registry: where the metrics go.
        prefix: stands in front of their names.
    """
    requests = Counter(
        f"{prefix}http_requests",
        "HTTP requests, by route and status.",
        ("route", "status"),
        registry=registry,
    )
    durations = Histogram(
        f"{prefix}http_request_duration_seconds",
        "Time from a request to the end of its answer, streams included, in seconds.",
        ("route",),
        buckets=SECONDS,
        registry=registry,
    )

    def begin(_app: Flask, **_: Any) -> None:
        g.request_began = time.monotonic()

    def count(response: Response) -> Response:
        began: float = g.request_began
        route = request.url_rule.rule if request.url_rule else NO_ROUTE
        requests.labels(route, str(response.status_code)).inc()
        response.call_on_close(lambda: durations.labels(route).observe(time.monotonic() - began))
        return response

    # A `before_request` function would miss those that an earlier one refuses.
    request_started.connect(begin, app, weak=False)
    app.after_request(count)
