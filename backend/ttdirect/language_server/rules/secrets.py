"""Keys and passwords: where they stand, and how they are compared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.rules.finding import Context, Edit, Fix, Found, Rule, Severity
from ttdirect.language_server.rules.words import missing_import

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.expressions import Expression
    from ttdirect.language_server.analysis.python import Comparison, PythonFacts

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|api_?token|auth_?token|access_?token|bearer_?token|secret(?:_?key)?"
    r"|password|passwd|hf_?token|auth_?key|server_?key)s?$",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    r"(?<![\w-])(?:hf_[A-Za-z0-9]{24,}|sk-[A-Za-z0-9_-]{24,}|gh[po]_[A-Za-z0-9]{30,})"
)
_HEADERS = re.compile(r"authorization|x-api-key|api-key|x-auth-token", re.IGNORECASE)
_NAME_OF_A_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|X-[\w-]+|Authorization|Bearer ?")
_SHORTEST = 4


def _hard_coded(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is not None:
        found: set[int] = set()
        for assignment in facts.assignments:
            target = assignment.target
            if _is_secret_name(target) and _is_secret_text(assignment.value):
                found.add(assignment.value.span.start)
                name = re.sub(r"\W+", "_", target.text.rpartition(".")[2]).strip("_").upper()
                yield (
                    assignment.value.span,
                    _sentence(name),
                    (_from_environment(assignment.value, name, facts),),
                )
        for expression in facts.strings:
            if expression.span.start not in found and _TOKEN.search(expression.text):
                yield expression.span, _sentence("A_KEY"), ()
    elif document.markdown is not None:
        for match in _TOKEN.finditer(document.text):
            yield Span(match.start(), match.end()), _sentence("A_KEY"), ()


def _sentence(name: str) -> str:
    return (
        "Whoever reads this file has the key, and so has everybody who gets a copy of it. Read it "
        f"from the environment, as in os.environ[{name!r}]."
    )


def _is_secret_name(target: Expression) -> bool:
    if target.node.type == "subscript":  # os.environ["HF_TOKEN"] = ..., app.config["SECRET_KEY"]
        names = re.findall(r"""["'](\w+)["']""", target.text)
        return bool(names) and _SECRET_NAME.search(names[-1]) is not None
    return _SECRET_NAME.search(target.text.rpartition(".")[2]) is not None


def _is_secret_text(value: Expression) -> bool:
    """Whether a literal can be a key, and not the name of the variable that has it."""
    if value.node.type != "string":
        return False
    text = value.value
    return (
        isinstance(text, str)
        and len(text) >= _SHORTEST
        and " " not in text
        and _NAME_OF_A_VARIABLE.fullmatch(text) is None
    )


def _from_environment(value: Expression, name: str, facts: PythonFacts) -> Fix:
    edits = (*missing_import(facts, "os"), Edit(value.span, f'os.environ["{name}"]'))
    return Fix(f"Read {name} from the environment", edits)


def _compared(document: Document, _: Context) -> Iterator[Found]:
    facts = document.python
    if facts is None:
        return
    for comparison in facts.comparisons:
        left, right = comparison.left, comparison.right
        # Two names of secrets, such as `given_key == api_key`; a test of an answer has one.
        are_secrets = _is_secret_name_alone(left) and _is_secret_name_alone(right)
        if not (_is_received(left) or _is_received(right) or are_secrets):
            continue
        if _is_nothing(left) or _is_nothing(right):
            continue
        message = (
            "== takes longer the more of the key is right, which tells it letter by letter. "
            "Compare bytes with hmac.compare_digest."
        )
        yield comparison.span, message, (_digest(comparison, facts),)


def _is_received(side: Expression) -> bool:
    """Whether it is a header of the request that carries a key."""
    node = side.node
    if node.type == "identifier":
        bindings = side.scope.lookup(side.text)
        if len(bindings) != 1 or bindings[0].node is None:
            return False
        text = side.names.source.of(bindings[0].node)
    else:
        text = side.text
    return "headers" in text and _HEADERS.search(text) is not None


def _is_secret_name_alone(side: Expression) -> bool:
    if side.node.type not in ("identifier", "attribute", "subscript"):
        return False
    return _is_secret_name(side)


def _is_nothing(side: Expression) -> bool:
    """None, "", numbers: compared with these, nothing is given away."""
    value = side.value
    return value is None or (isinstance(value, (int, float, str)) and not value)


def _digest(comparison: Comparison, facts: PythonFacts) -> Fix:
    sides = [
        # A header may be missing.
        f"({side.text} or '').encode()" if _is_received(side) else f"{_grouped(side)}.encode()"
        for side in (comparison.left, comparison.right)
    ]
    text = f"hmac.compare_digest({sides[0]}, {sides[1]})"
    if comparison.sign == "!=":
        text = f"not {text}"
    edits = (*missing_import(facts, "hmac"), Edit(comparison.span, text))
    return Fix("Compare with hmac.compare_digest", edits)


def _grouped(side: Expression) -> str:
    plain = ("identifier", "attribute", "subscript", "call", "string", "parenthesized_expression")
    return side.text if side.node.type in plain else f"({side.text})"


HARD_CODED = Rule(
    code="TT007",
    name="hard-coded-secret",
    severity=Severity.WARNING,
    why="A script is copied, sent and committed, and its history keeps the key for ever. The "
    "environment, or a file that only the server can read, does not travel with it.",
    bad="""\
API_TOKEN = "open-sesame-1234"
""",
    good="""\
import os

API_TOKEN = os.environ["API_TOKEN"]
""",
    check=_hard_coded,
)

COMPARED = Rule(
    code="TT010",
    name="secret-compared-with-equals",
    severity=Severity.WARNING,
    why="== stops at the first letter that differs, and the time it takes says how many were "
    "right. hmac.compare_digest always takes as long. It wants bytes: text that is not ASCII "
    "raises.",
    bad="""\
import os

from flask import request


def is_allowed():
    return request.headers.get("X-API-Key") == os.environ["API_KEY"]
""",
    good="""\
import hmac
import os

from flask import request


def is_allowed():
    given = request.headers.get("X-API-Key", "")
    return hmac.compare_digest(given.encode(), os.environ["API_KEY"].encode())
""",
    check=_compared,
)
