"""Headers of every answer that keep browsers and caches from doing harm with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask, Response

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",  # an answer is what its type says, never a script
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # no site may lay the page under its own buttons
    "Cache-Control": "no-store",  # answers belong to those who asked
}


def add_safe_headers(app: Flask) -> None:
    """Add `SAFE_HEADERS` to each answer; a route that sets one itself has its way."""

    def add(response: Response) -> Response:
        for name, value in SAFE_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.after_request(add)
