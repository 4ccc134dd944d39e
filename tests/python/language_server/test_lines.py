"""Lines and columns as editors count them, and bytes as parsers do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.language_server.analysis.lines import LineIndex, Place
from ttdirect.language_server.analysis.source import Source, Span

TEXTS = st.text(
    st.sampled_from("ab\n\r\f\v\x1c\x85\u2028\u2029\té中😀") | st.characters(codec="utf-8"),
    max_size=60,
)


def editor_lines(text):
    """Lines as VS Code splits them, their endings included."""
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$|^$", text) + (
        [""] if re.search(r"(?:\r\n|\n|\r)$", text) else []
    )


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        pytest.param("", 0, (0, 0), id="empty"),
        pytest.param("abc", 3, (0, 3), id="end without a newline"),
        pytest.param("a\nb", 2, (1, 0), id="LF"),
        pytest.param("a\r\nb", 3, (1, 0), id="CRLF"),
        pytest.param("a\r\nb", 2, (0, 1), id="inside of CRLF"),
        pytest.param("a\rb", 2, (1, 0), id="lone CR"),
        pytest.param("a\fb\nc", 4, (1, 0), id="a form feed ends no line"),
        pytest.param("a\u2028b", 2, (0, 2), id="a line separator ends no line"),
        pytest.param("😀b", 1, (0, 2), id="two UTF-16 units"),
        pytest.param("éb", 1, (0, 1), id="one UTF-16 unit"),
    ],
)
def test_places(text, offset, place):
    assert LineIndex(text).place(offset) == Place(*place)


@given(TEXTS)
def test_lines_are_those_of_an_editor(text):
    index, expected = LineIndex(text), editor_lines(text)
    assert len(index) == len(expected)
    assert [index.line_text(it) for it in range(len(index))] == [
        line.rstrip("\r\n") for line in expected
    ]


@given(TEXTS, st.data())
def test_an_offset_comes_back_from_its_place(text, data):
    offset = data.draw(st.integers(0, len(text)))
    index = LineIndex(text)
    back = index.offset(*index.place(offset))
    inside_of_crlf = text[offset - 1 : offset + 1] == "\r\n"
    assert back == (offset - 1 if inside_of_crlf else offset)


@given(TEXTS, st.integers(0, 70), st.integers(0, 70))
def test_a_place_outside_is_moved_inside(text, line, column):
    assert 0 <= LineIndex(text).offset(line, column) <= len(text)


@given(st.text(max_size=40).map(lambda it: it * 150), st.data())
def test_bytes_and_characters_agree(text, data):
    source = Source(text)
    offset = data.draw(st.integers(0, len(text)))
    assert source.character(source.byte(offset)) == offset


def test_a_part_knows_where_it_stands_in_the_document():
    source = Source("ab\ncd", [(0, 10), (3, 20)])
    assert [source.outer(it) for it in (0, 1, 3, 4)] == [10, 11, 20, 21]
    assert Span(10, 12).holds(12)
