"""Documents to look at, and what is found in them."""

import pytest

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.rules.catalogue import find
from ttdirect.language_server.rules.finding import Context


@pytest.fixture
def found():
    """The codes that are found in a text, with the words that each is about."""

    def look(text, kind="python", context=None):
        document = Document("file:///a", kind, text)
        return [
            (it.code, text[it.span.start : it.span.end])
            for it in find(document, context or Context())
        ]

    return look


@pytest.fixture
def mended():
    """A text after the first fix of its only finding."""

    def mend(text, kind="python", context=None):
        (finding,) = find(Document("file:///a", kind, text), context or Context())
        return apply(text, finding.fixes[0].edits)

    return mend


@pytest.fixture
def fixes_of(found):
    """For each finding: its code, the text after its first fix, and what is found in that."""

    def look(text, kind, context):
        for finding in find(Document("file:///a", kind, text), context):
            fixed = apply(text, finding.fixes[0].edits) if finding.fixes else None
            yield finding.code, fixed, None if fixed is None else found(fixed, kind, context)

    return look


def apply(text, edits):
    for edit in sorted(edits, key=lambda it: it.span, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text
