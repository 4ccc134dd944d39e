"""GET /: one page to try the server in a browser, without a build step and without a network."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request

from ttdirect.server.errors import endpoints
from ttdirect.server.health import health_report
from ttdirect.server.keys import keys_are_set

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from ttdirect.engine import Engine


def add_page(app: Flask, engine: Engine) -> None:
    """Add `GET /`: a page for browsers, a summary for those that accept JSON alone.

    The page holds no data; what it shows it asks the other routes for, with the key that its
    reader types in.
    """
    html, policy = _document()

    def page() -> ResponseReturnValue:
        """A page to try the server in a browser."""
        accepted = request.accept_mimetypes
        if accepted.best_match(["text/html", "application/json"]) == "application/json":
            response = jsonify(_summary(app, engine))
        else:
            response = Response(html, mimetype="text/html")
            response.headers["Content-Security-Policy"] = policy
        response.vary.add("Accept")
        return response

    app.add_url_rule("/", view_func=page)


def _summary(app: Flask, engine: Engine) -> dict[str, Any]:
    report = health_report(engine)
    return {
        **{name: report[name] for name in ("status", "note", "model", "version")},
        "needs_key": keys_are_set(),
        "routes": endpoints(app),
    }


def _document() -> tuple[str, str]:
    """The page in one piece, and the policy that lets exactly its own style and script run."""
    folder = resources.files("ttdirect.server.operations")
    html, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    )
    html = html.replace("/* page.css */", style).replace("/* page.js */", script)
    policy = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return html, "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
