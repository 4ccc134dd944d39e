"""What happens at the same time: the Generator, streams, and `/health`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import (
    ASKS,
    FORWARDS,
    LOADERS,
    SERVE,
    holds_lock,
    is_lock,
    may_be_cached,
    runs_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.python import Call, PythonFacts

_HEALTH = frozenset({"/health", "/healthz", "/livez", "/readyz"})
_LONG_SLEEP = 0.1
_STREAMS = ("text/event-stream", "application/x-ndjson")


def _unlocked(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None or "_forward" not in document.text or not _has_threads(facts):
        return
    seen: set[int] = set()
    for route in facts.routes:
        for call, way in facts.reached_from(route.function):
            if call.span.start in seen or not call.callee.is_one_of(FORWARDS):
                continue
            if may_be_cached(way, facts) or any(holds_lock(it, facts) for it in (*way, call)):
                continue
            seen.add(call.span.start)
            message = (
                f"Two requests to {route.path} can call the Generator at the same time, and it "
                "serves one thread alone. Call it under a lock, or let Engine call it."
            )
            yield call.callee.span, message, ()


def _has_threads(facts: PythonFacts) -> bool:
    """Whether the script starts a server that answers requests at the same time."""
    if facts.calls_of(*SERVE, "waitress.serve"):
        return True
    runs = runs_of(facts)
    threaded = [run.argument(None, "threaded") for run in runs]
    return any(it is None or it.value is True for it in threaded)


def _single_threaded(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None or not _streams(facts):
        return
    for run in runs_of(facts):
        threaded = run.argument(None, "threaded")
        if threaded is not None and threaded.value is False:
            message = (
                "While an answer streams, this server answers nobody else, not even /health. "
                "Set threaded=True."
            )
            fix = Fix("Set threaded=True", (Edit(threaded.span, "True"),))
            yield threaded.span, message, (fix,)


def _streams(facts: PythonFacts) -> bool:
    if facts.calls_of("flask.stream_with_context", "ttdirect.server.add_streaming"):
        return True
    # A name or header may hold the type, so it is enough that a generator function is there, too.
    has_type = any(it.value in _STREAMS for it in facts.strings)
    return has_type and any(function.yields for function in facts.functions.values())


def _blocking(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None:
        return
    guards = _guards_of_model(facts)
    for route in facts.routes:
        if route.path not in _HEALTH:
            continue
        for call, way in facts.reached_from(route.function):
            if may_be_cached(way, facts) or any(it.is_guarded for it in (*way, call)):
                continue
            reason = _why_it_blocks(call, guards)
            if reason:
                message = (
                    f"{route.path} {reason}, so it does not answer while the model is busy. Let it "
                    "read a few variables, and wait for nothing."
                )
                yield (way[0] if way else call).span, message, ()
                break


def _why_it_blocks(call: Call, guards: set[str]) -> str:
    if call.callee.is_one_of((*FORWARDS, *ASKS)):
        return "asks the model"
    if call.callee.is_one_of(LOADERS):
        return "loads the model"
    if call.callee.is_one_of(("time.sleep",)):
        seconds = call.arguments[0].value if call.arguments else None
        return "sleeps" if isinstance(seconds, (int, float)) and seconds >= _LONG_SLEEP else ""
    if any(it.text in guards for it in call.held):
        return "waits for the lock of the model"
    waits = call.name == "acquire" and not call.arguments and not call.keywords
    return "waits for the lock of the model" if waits and call.callee.text[:-8] in guards else ""


def _guards_of_model(facts: PythonFacts) -> set[str]:
    """The locks under which this file asks the model, as they are written."""
    asking = facts.calls_of(*FORWARDS, *ASKS)
    return {lock.text for call in asking for lock in call.held if is_lock(lock)}


UNLOCKED = Rule(
    code="TT005",
    name="generator-without-lock",
    severity=Severity.ERROR,
    why="One thread owns a Generator: tt-metal does not support concurrent host calls on one "
    "model. Flask answers each request on a thread of its own, so two requests would mix up their "
    "tokens or hang the card.",
    bad="""\
from flask import Flask
from ttdirect.generator import Generator

app = Flask(__name__)
generator = None


def load(model, args, mesh):
    global generator
    generator = Generator([model], [args], mesh)


@app.post("/chat")
def chat():
    return str(generator.decode_forward_text(None, None))


def main():
    app.run()
""",
    good="""\
import threading

from flask import Flask
from ttdirect.generator import Generator

app = Flask(__name__)
generator = None
lock = threading.Lock()


def load(model, args, mesh):
    global generator
    generator = Generator([model], [args], mesh)


@app.post("/chat")
def chat():
    with lock:
        return str(generator.decode_forward_text(None, None))


def main():
    app.run()
""",
    check=_unlocked,
)

SINGLE_THREADED = Rule(
    code="TT011",
    name="stream-on-one-thread",
    severity=Severity.WARNING,
    why="A stream occupies its thread until the answer's last word. With threaded=False it is the "
    "only thread, and everybody else waits, health checks included.",
    bad="""\
from flask import Flask, Response, stream_with_context

app = Flask(__name__)


@app.get("/stream")
def stream():
    return Response(stream_with_context(iter(["a", "b"])), mimetype="text/event-stream")


app.run(threaded=False)
""",
    good="""\
from flask import Flask, Response, stream_with_context

app = Flask(__name__)


@app.get("/stream")
def stream():
    return Response(stream_with_context(iter(["a", "b"])), mimetype="text/event-stream")


app.run(threaded=True)
""",
    check=_single_threaded,
)

BLOCKING_HEALTH = Rule(
    code="TT012",
    name="blocking-health",
    severity=Severity.WARNING,
    why="Whoever watches the server takes a slow /health for a dead server, and restarts it in the "
    "middle of its work.",
    bad="""\
from flask import Flask
from ttdirect.engine import Engine

app = Flask(__name__)
engine = Engine(print)


@app.get("/health")
def health():
    engine.ask("Are you there?")
    return {"status": "healthy"}
""",
    good="""\
from flask import Flask
from ttdirect.engine import Engine

app = Flask(__name__)
engine = Engine(print)


@app.get("/health")
def health():
    return {"status": "healthy", "model": engine.health().model}
""",
    check=_blocking,
)
