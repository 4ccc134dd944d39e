"""Several processes on one model."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, cast

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import CREATE_MODEL, ENGINES, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.shell import Command

_MESSAGE = (
    "Each of these {count} workers would load the model again, and a card can be opened by one "
    "process alone. Use one worker with several threads."
)


def _check(document: Document, _: Context) -> Iterator[Found]:
    if document.markdown is not None and document.is_ours:
        for command in document.markdown.commands:
            yield from _command(command)
    facts = document.python
    if facts is None:
        return
    has_model = bool(facts.calls_of(*CREATE_MODEL, *ENGINES))
    for call in runs_of(facts) if has_model else ():
        processes = call.argument(None, "processes")
        if processes is not None and _is_many(processes.value):
            fix = Fix("Use one process", (Edit(processes.span, "1"),))
            yield processes.span, _MESSAGE.format(count=processes.value), (fix,)
    for call in facts.calls if document.is_ours else ():
        words = call.arguments[0].value if call.arguments else None
        # A list of words for subprocess.
        if call.name in ("run", "Popen", "call", "check_call") and isinstance(words, list):
            count = _workers([str(it) for it in cast("list[Any]", words)])
            if count > 1:
                yield call.arguments[0].span, _MESSAGE.format(count=count), ()


def _command(command: Command) -> Iterator[Found]:
    names = [word.text.rpartition("/")[2] for word in command.words]
    count = command.option("-w", "--workers")
    if "gunicorn" not in names or count is None or not count.text.isdigit():
        return
    if int(count.text) > 1:
        span = Span(count.span.end - len(count.text), count.span.end)
        fix = Fix("Use one worker", (Edit(span, "1"),))
        yield count.span, _MESSAGE.format(count=count.text), (fix,)


def _workers(words: list[str]) -> int:
    if not any(word.rpartition("/")[2] == "gunicorn" for word in words):
        return 0
    for word, following in itertools.pairwise(words):
        if word in ("-w", "--workers") and following.isdigit():
            return int(following)
    return 0


def _is_many(value: object) -> bool:
    return isinstance(value, int) and value > 1


RULE = Rule(
    code="TT002",
    name="several-workers",
    severity=Severity.ERROR,
    why="A worker is a process with a model of its own: two of them need twice the memory, and the "
    "second cannot open the card. Threads share one model, and the engine batches their requests.",
    bad="""\
```sh
gunicorn -w 4 -b 127.0.0.1:8080 tt-api-server-direct:app
```
""",
    good="""\
```sh
gunicorn -w 1 --threads 104 -b 127.0.0.1:8080 tt-api-server-direct:app
```
""",
    check=_check,
    language="markdown",
)
