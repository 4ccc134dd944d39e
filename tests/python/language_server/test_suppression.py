"""Comments that switch findings off, and the action that writes them."""

import pytest

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.rules.catalogue import find
from ttdirect.language_server.rules.finding import Context
from ttdirect.language_server.rules.suppression import comment_for

TWO = "api_key = 'abcd1234'{}\npassword = 'abcd1234'\n"
FENCE = "tt-api-server-direct.py\n\n{}```sh\ngunicorn -w 4 tt-api-server-direct:app\n```\n"


@pytest.mark.parametrize(
    ("comment", "lines"),
    [
        ("", [0, 1]),
        ("  # tt: ignore[TT007]", [1]),
        ("  # tt:ignore", [1]),
        ("  # tt: ignore[TT001, TT007] because", [1]),
        ("  # tt: ignore[TT001]", [0, 1]),
        ("\n# tt: ignore[TT007]", [0]),
        ("  # tt: ignored", [0, 1]),
    ],
)
def test_comments_in_python(comment, lines):
    text = TWO.format(comment)
    document = Document("u", "python", text)
    found = [document.lines.line_of(it.span.start) for it in find(document, Context())]
    assert found == [line + ("\n" in comment and line > 0) for line in lines]


@pytest.mark.parametrize(
    ("comment", "is_found"),
    [("", True), ("<!-- tt: ignore[TT002] -->\n", False), ("<!-- tt: ignore[TT002] -->\n\n", False),
     ("<!-- tt: ignore[TT001] -->\n", True), ("<!-- tt: ignore -->\n\nText.\n\n", True)],
)  # fmt: skip
def test_comments_in_markdown(comment, is_found):
    document = Document("u", "markdown", FENCE.format(comment))
    assert bool(find(document, Context())) == is_found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("python", "def f():\n    api_key = 'abcd1234'\n"),
        ("markdown", FENCE.format("")),
        ("markdown", "1. ttdirect\n\n   ```sh\n   gunicorn -w 4 a:b\n   ```\n"),
        ("shell", "# ttdirect\ngunicorn -w 4 a:b\n"),
    ],
)
def test_the_comment_that_we_write_is_obeyed(kind, text, end):
    text = text.replace("\n", end)
    document = Document("u", kind, text)
    (finding,) = find(document, Context())
    line = document.lines.line_of(finding.span.start)
    offset, comment = comment_for(document, finding.code, line)
    assert comment.endswith(end)
    assert find(Document("u", kind, text[:offset] + comment + text[offset:]), Context()) == []


def test_a_rule_can_be_off_everywhere():
    document = Document("u", "python", TWO.format(""))
    assert find(document, Context(), {"TT007"}) == []
