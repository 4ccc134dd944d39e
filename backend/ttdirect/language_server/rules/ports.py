"""Ports that differ between the script, the settings and the requests in Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.schema.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.markdown import MarkdownFacts
    from ttdirect.language_server.analysis.shell import Command

_AT_END = re.compile(r":(\d{1,5})$")


def _check(document: Document, context: Context) -> Iterator[Found]:
    facts = document.markdown
    if facts is None or not document.is_ours:
        return
    started = _started(facts, context)
    if not started:
        return
    for request in facts.requests:
        url = request.url
        if url.port is None or url.port_span is None or not url.may_be_ours:
            continue
        if url.path not in ROUTES or url.port in started:
            continue
        known = sorted(started)
        where = started[known[0]]
        message = f"This request goes to port {url.port}, but {where} port {known[0]}."
        fixes = tuple(Fix(f"Use port {port}", (Edit(url.port_span, str(port)),)) for port in known)
        yield url.port_span, message, fixes


def _started(facts: MarkdownFacts, context: Context) -> dict[int, str]:
    """The ports that a server may listen on, by what this text, script and settings say.

    What the text itself starts goes first: a lesson may well use a port of its own.
    """
    told: dict[int, str] = {}
    starts = False
    for command in facts.commands:
        port = _port_of(command)
        starts = starts or port is not None
        if port:
            told[port] = "this text starts a server on"
    if told:
        # A server that is started without a port listens on the script's.
        if starts and _starts_at_default(facts) and context.script_port is not None:
            told.setdefault(context.script_port, f"{context.script_name} listens on")
        return told
    if context.script_port is not None:
        told[context.script_port] = f"{context.script_name} listens on"
    if context.settings_port is not None:
        told[context.settings_port] = "the settings say"
    return told


def _starts_at_default(facts: MarkdownFacts) -> bool:
    return any(_is_start(it) and not _port_of(it) for it in facts.commands)


def _is_start(command: Command) -> bool:
    words = [word.text for word in command.words]
    program = words[0].rpartition("/")[2] if words else ""
    if program in ("ttdirect", "gunicorn"):
        return program == "gunicorn" or "serve" in words[1:2] or "create" in words[1:2]
    is_script = any(word.endswith("tt-api-server-direct.py") for word in words)
    return is_script and (program.startswith("python") or program.endswith(".py"))


def _port_of(command: Command) -> int | None:
    """The port that a command starts a server on; 0 where it names none; None for others."""
    if not _is_start(command):
        return None
    port = command.option("--port", "-p")
    if port is not None:
        return int(port.text) if port.text.isdigit() else 0
    bind = command.option("-b", "--bind")
    match = None if bind is None else _AT_END.search(bind.text)
    return int(match[1]) if match else 0


RULE = Rule(
    code="TT013",
    name="port-differs",
    severity=Severity.WARNING,
    why="A request to another port meets no server, or a different one, and 'connection refused' "
    "does not say which side is wrong.",
    bad="""\
```sh
python tt-api-server-direct.py --port 9000
```

```sh
curl http://127.0.0.1:8080/health
```
""",
    good="""\
```sh
python tt-api-server-direct.py --port 9000
```

```sh
curl http://127.0.0.1:9000/health
```
""",
    check=_check,
    language="markdown",
)
