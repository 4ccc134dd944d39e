"""Settings of Flask and its extensions that do something else than they seem to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import APPS, missing_import, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.expressions import Expression

_DEBUG = (
    "In debug mode every error page can run Python code on this computer, and the model is loaded "
    "twice. Turn it off."
)
_LIMITERS = ("flask_limiter.Limiter", "flask_limiter.extension.Limiter")
_KEY_FUNCTION = ("flask_limiter.util", "get_remote_address")


def _debug(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None:
        return
    for run in runs_of(facts):
        debug = run.argument(2, "debug")
        if debug is not None and debug.value is True:
            yield _turned_off(debug)
    for assignment in facts.assignments:
        target, value = assignment.target, assignment.value
        if value.value is not True:
            continue
        app = target.node.child_by_field_name("object") or target.node.child_by_field_name("value")
        text = target.text
        is_attribute = target.node.type == "attribute" and text.endswith(".debug")
        is_setting = target.node.type == "subscript" and text.endswith(
            ('.config["DEBUG"]', ".config['DEBUG']")
        )
        if app is None or not (is_attribute or is_setting):
            continue
        owner = app.child_by_field_name("object") if is_setting else app
        symbols = facts.names.symbols(owner, target.scope)
        if symbols and symbols <= set(APPS):
            yield _turned_off(value)


def _turned_off(value: Expression) -> Found:
    fix = Fix("Turn debug mode off", (Edit(value.span, "False"),))
    return value.span, _DEBUG, (fix,) if value.node.type == "true" else ()


def _limiter(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None:
        return
    for call in facts.calls_of(*_LIMITERS):
        if not call.arguments or not call.arguments[0].is_one_of(APPS) or "app" in call.keywords:
            continue
        app = call.arguments[0]
        if "key_func" in call.keywords:
            message = "The first argument of Limiter is key_func, not the app. Write app=app."
            edits = (Edit(app.span, f"app={app.text}"),)
        else:
            message = (
                "The first argument of Limiter is key_func, not the app: nothing is limited. "
                "Write Limiter(get_remote_address, app=app)."
            )
            bound = facts.module.bindings.get(_KEY_FUNCTION[1])
            edits = (Edit(app.span, f"{_KEY_FUNCTION[1]}, app={app.text}"),)
            if not bound:
                edits = (*missing_import(facts, *_KEY_FUNCTION), *edits)
        yield app.span, message, (Fix("Hand over the app by name", edits),)


DEBUG = Rule(
    code="TT008",
    name="debug-mode",
    severity=Severity.WARNING,
    why="Flask's debugger runs what is typed into an error page. Its reloader starts the script a "
    "second time, so the model is loaded twice and a card is opened twice.",
    bad="""\
from flask import Flask

app = Flask(__name__)
app.run(debug=True)
""",
    good="""\
from flask import Flask

app = Flask(__name__)
app.run(debug=False)
""",
    check=_debug,
)

LIMITER = Rule(
    code="TT009",
    name="limiter-without-app",
    severity=Severity.ERROR,
    why="Since Flask-Limiter 3 the first argument is key_func. An app in its place is taken for "
    "that, no request is ever counted, and nothing says so.",
    bad="""\
from flask import Flask
from flask_limiter import Limiter

app = Flask(__name__)
limiter = Limiter(app, default_limits=["10 per minute"])
""",
    good="""\
from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

app = Flask(__name__)
limiter = Limiter(get_remote_address, app=app, default_limits=["10 per minute"])
""",
    check=_limiter,
)
