"""Models that are loaded at the wrong time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Found, Rule, Severity
from ttdirect.language_server.rules.words import ENGINES, LOADERS, may_be_cached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document


def _in_request(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None or not _loads(document):
        return
    loaders = (*LOADERS, *ENGINES)
    seen: set[int] = set()
    for route in facts.routes:
        for call, way in facts.reached_from(route.function):
            # What an `if` or `try` stands around may be loaded once and kept.
            is_kept = any(it.is_guarded for it in (*way, call)) or may_be_cached(way, facts)
            if is_kept or not call.callee.is_one_of(loaders):
                continue
            first = (*way, call)[0]
            if first.span.start in seen:
                continue
            seen.add(first.span.start)
            message = (
                f"Every request to {route.path} would load the model again, which takes seconds to "
                "minutes. Load it once, before the first request."
            )
            yield first.span, message, ()


def _at_import(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None or not facts.routes or not _loads(document):
        return
    top = facts.calls_in.get("", [])
    if not any(call.is_main for call in top):
        return  # no program of its own: a server imports it, and then loading is what it should do
    for call in top:
        if call.is_main or call.is_guarded:
            continue
        called = facts.called_function(call)
        run = [call] if called is None else [it for it, _ in facts.reached_from(called)]
        if any(it.callee.is_one_of(LOADERS) for it in run):
            message = (
                "The model is loaded whenever this file is imported, by a test as well. Load it "
                "where the program starts, or hand the function that loads it to Engine."
            )
            yield call.span, message, ()
            return  # the first says it all


def _loads(document: Document) -> bool:
    words = ("create_tt_model", "Generator(", "open_mesh", "Engine(")
    return any(word in document.text for word in words)


IN_REQUEST = Rule(
    code="TT003",
    name="model-loaded-in-request",
    severity=Severity.ERROR,
    why="Loading a model takes seconds to minutes and gigabytes of memory. It belongs before the "
    "first request; all requests then share it.",
    bad="""\
from flask import Flask
from ttdirect.generator import create_tt_model

app = Flask(__name__)


@app.post("/chat")
def chat():
    args, model, kv_cache, weights = create_tt_model(None)
    return {"response": model.answer()}
""",
    good="""\
from flask import Flask
from ttdirect.generator import create_tt_model

app = Flask(__name__)


def load():
    return create_tt_model(None)


def main():
    app.config["loaded"] = load()
    app.run()
""",
    check=_in_request,
)

AT_IMPORT = Rule(
    code="TT004",
    name="model-loaded-at-import",
    severity=Severity.INFORMATION,
    why="Importing a file should be quick and safe. A model that is loaded at import is loaded by "
    "every test, by Flask's reloader a second time, and its failure has no good message.",
    bad="""\
from flask import Flask
from ttdirect.generator import create_tt_model

app = Flask(__name__)
args, model, kv_cache, weights = create_tt_model(None)


@app.get("/health")
def health():
    return {"status": "healthy"}


if __name__ == "__main__":
    app.run()
""",
    good="""\
from flask import Flask
from ttdirect.engine import Engine

app = Flask(__name__)


def initialize_model(phase):
    raise NotImplementedError


engine = Engine(initialize_model)


@app.get("/health")
def health():
    return {"status": "healthy"}


if __name__ == "__main__":
    app.run()
""",
    check=_at_import,
)
