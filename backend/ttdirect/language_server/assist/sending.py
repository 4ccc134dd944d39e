"""A request in other words: as curl, as Python, as JavaScript."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.requests import Request

Target = Literal["curl", "python", "javascript"]


def sendable(request: Request, base: str) -> dict[str, Any] | None:
    """The request as data for whoever sends it; None where its path is not known.

    Args:
        request: the request.
        base: the server's address for those that do not name one, such as http://127.0.0.1:8080.
    """
    url = request.url
    if not url.path:
        return None
    host = f"http://{url.host}:{url.port}" if url.host and url.port else base
    address = url.text if url.text.startswith(("http://", "https://")) else f"{host}{url.path}"
    if "$" in address or "{" in address:
        address = f"{base}{url.path}"
    body = None if request.body is None else request.body.as_python()
    return {
        "method": request.method,
        "url": address,
        "headers": {name: value for name, value in request.headers if "$" not in value},
        "body": body,
    }


def written_as(target: Target, request: dict[str, Any]) -> str:
    """A sendable request as a program's text."""
    method, url, body = request["method"], request["url"], request["body"]
    headers = dict(request["headers"])
    if target == "curl":
        return _curl(method, url, headers, body)
    if target == "python":
        return _python(method, url, headers, body)
    return _javascript(method, url, headers, body)


def _curl(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    lines = [f"curl {shlex.quote(url)}" if method in ("GET", "POST") else f"curl -X {method} {url}"]
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
    elif method == "POST":
        lines[0] = f"curl -X POST {shlex.quote(url)}"
    return " \\\n  ".join(lines)


def _python(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    lines = ["import requests", "", f"answer = requests.{method.lower()}(", f"    {url!r},"]
    own = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    if own:
        lines.append(f"    headers={own!r},")
    if body is not None:
        lines.append(f"    json={body!r},")
    return "\n".join([*lines, "    timeout=600,", ")", "print(answer.json())"])


def _javascript(method: str, url: str, headers: dict[str, str], body: Any) -> str:
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    lines = [
        f"const answer = await fetch({json.dumps(url)}, {{",
        f"  method: {json.dumps(method)},",
    ]
    if headers:
        lines.append(f"  headers: {json.dumps(headers)},")
    if body is not None:
        lines.append(f"  body: JSON.stringify({json.dumps(body, ensure_ascii=False)}),")
    return "\n".join([*lines, "});", "console.log(await answer.json());"])
