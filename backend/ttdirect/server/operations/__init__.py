"""What keeps a server in operation: metrics, liveness, the description of its routes, a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.server.operations.liveness import add_liveness
from ttdirect.server.operations.metrics import add_metrics
from ttdirect.server.operations.openapi import add_openapi
from ttdirect.server.operations.page import add_page

if TYPE_CHECKING:
    from flask import Flask

    from ttdirect.engine import Engine

__all__ = ["add_operations"]


def add_operations(app: Flask, engine: Engine) -> None:
    """Add `GET /metrics`, `GET /livez`, `GET /openapi.json` and a page at `GET /`.

    None of them waits for the model, so all of them answer while it loads and under any load.

    Args:
        app: the Flask app; routes may be added before and after.
        engine: may be started later.
    """
    add_metrics(app, engine)
    add_liveness(app, engine)
    add_openapi(app)
    add_page(app, engine)
