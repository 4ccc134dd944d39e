"""Fields of request examples that the server would refuse."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ttdirect.language_server.rules.bodies import Difference, differences
from ttdirect.language_server.rules.finding import Context, Found, Rule, Severity
from ttdirect.schema.routes import request_schema, unsupported_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.requests import Request
    from ttdirect.language_server.rules.bodies import Problem


def checked_requests(document: Document) -> Iterator[Request]:
    """The requests of a document that go to a server of ours, as far as one can see."""
    if not document.is_ours or _has_own_chat(document):
        return
    for request in document.requests:
        if request.body is not None and request.is_whole and request.url.may_be_ours:
            yield request


def _has_own_chat(document: Document) -> bool:
    """Whether it is a script that takes other fields than ours."""
    facts = document.python
    has_route = facts is not None and any(it.path == "/chat" for it in facts.routes)
    return has_route and "chat_fields" not in document.text


def _check(kind: Problem) -> Callable[[Document, Context], Iterable[Found]]:
    def check(document: Document, _: Context) -> Iterator[Found]:
        for difference in _all_differences(document):
            if difference.kind == kind:
                yield difference.span, difference.message, difference.fixes

    return check


@functools.lru_cache(maxsize=2)
def _all_differences(document: Document) -> list[Difference]:
    """What is wrong in all requests: three rules ask for it, one after another."""
    found: list[Difference] = []
    for request in checked_requests(document):
        schema = request_schema(request.url.path)
        if request.body is None or schema is None:
            continue
        refused = unsupported_fields(request.url.path)
        # What the server knows and refuses is no slip of the pen.
        found += [it for it in differences(request.body, schema) if it.field not in refused]
        found += _refused(request, refused)
    return found


def _refused(request: Request, refused: dict[str, list[object]]) -> Iterator[Difference]:
    for member in () if request.body is None else request.body.members:
        value = member.value
        if member.key not in refused or value is None or value.kind in ("null", "unknown"):
            continue
        if value.as_python() not in refused[member.key]:
            message = f"This server does not support '{member.key}'."
            yield Difference("unknown", member.key_span, message)


_START = """\
The server of tt-api-server-direct.py:

```sh
curl http://127.0.0.1:8080/chat -H 'Content-Type: application/json' \\
"""

UNKNOWN_FIELD = Rule(
    code="TT014",
    name="unknown-field",
    severity=Severity.WARNING,
    why="/chat refuses a field that it does not know, so that a typing mistake is noticed. The "
    "routes under /v1 ignore one, as OpenAI's do, and then nothing happens at all.",
    bad=_START
    + """\
     -d '{"prompt": "Hello", "max_token": 32}'
```
""",
    good=_START
    + """\
     -d '{"prompt": "Hello", "max_tokens": 32}'
```
""",
    check=_check("unknown"),
    language="markdown",
)

WRONG_FIELD = Rule(
    code="TT015",
    name="wrong-field",
    severity=Severity.ERROR,
    why="The server answers 400 to a value of another type or outside of its range.",
    bad=_START
    + """\
     -d '{"prompt": "Hello", "temperature": 3.5}'
```
""",
    good=_START
    + """\
     -d '{"prompt": "Hello", "temperature": 0.7}'
```
""",
    check=_check("wrong"),
    language="markdown",
)

MISSING_FIELD = Rule(
    code="TT016",
    name="missing-field",
    severity=Severity.ERROR,
    why="The server answers 400 to a request without a field that it needs.",
    bad=_START
    + """\
     -d '{"max_tokens": 32}'
```
""",
    good=_START
    + """\
     -d '{"prompt": "Hello", "max_tokens": 32}'
```
""",
    check=_check("missing"),
    language="markdown",
)
