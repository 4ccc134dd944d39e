"""Who may ask: servers that are open to everybody."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import SERVE, is_loopback, literal_behind, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.expressions import Expression
    from ttdirect.language_server.analysis.python import PythonFacts

# Whoever writes one of these has thought of it; whether it is right is not for us to say.
_ASKS_WHO = re.compile(
    r"authoriz|authenti|api[_-]?key|compare_digest|login_required|jwt|bearer|server\.protect",
    re.IGNORECASE,
)
_OPEN = "Everybody who can reach this computer can use the model, for there is no authentication."


def _check(document: Document, _: Context) -> Iterator[Found]:
    if document.python is not None:
        yield from _python(document, document.python)
    elif document.markdown is not None:
        for command in document.markdown.commands:
            host = command.option("--host")
            flag = next((it for it in command.words if it.text == "--no-api-key"), None)
            if flag and host and host.is_literal and not is_loopback(host.text):
                message = f"{_OPEN} Set TTDIRECT_API_KEY instead of --no-api-key."
                yield flag.span, message, ()


def _python(document: Document, facts: PythonFacts) -> Iterator[Found]:
    for call in facts.calls_of(*SERVE):
        host, is_open = call.argument(2, "host"), call.argument(None, "allow_open")
        if host is not None and is_open is not None and is_open.value is True:
            yield from _found(host, f"{_OPEN} Leave out allow_open and set TTDIRECT_API_KEY.")
    if _ASKS_WHO.search(document.text):
        return
    for call in runs_of(facts):
        host = call.argument(0, "host")
        if host is not None:
            yield from _found(host, f"{_OPEN} Listen on 127.0.0.1, or ask for a key.")


def _found(host: Expression, message: str) -> Iterator[Found]:
    value = host.value
    if not isinstance(value, str) or not value or is_loopback(value):
        return
    literal = literal_behind(host)
    fix = (
        Fix("Listen on 127.0.0.1 alone", (Edit(literal.span, '"127.0.0.1"'),)) if literal else None
    )
    yield host.span, message, (fix,) if fix else ()


RULE = Rule(
    code="TT001",
    name="open-server",
    severity=Severity.WARNING,
    why="A server that listens beyond 127.0.0.1 without asking for a key gives the model, its log "
    "and the computer's time to whoever finds the port.",
    bad="""\
from flask import Flask

app = Flask(__name__)
app.run(host="0.0.0.0", port=8080)
""",
    good="""\
from flask import Flask

app = Flask(__name__)
app.run(host="127.0.0.1", port=8080)
""",
    check=_check,
)
