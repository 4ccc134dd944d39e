"""Server-sent events, cut anywhere."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.cli.events import read_events

STREAM = 'data: {"text": "Grüße"}\n\n: ping\n\ndata:🙂\r\n\r\ndata: one\rdata:  two\r\revent: x\n\n'
DATA = ['{"text": "Grüße"}', "🙂", "one\n two"]


@given(st.lists(st.integers(0, len(STREAM.encode())), unique=True).map(sorted))
def test_events_are_the_same_wherever_the_chunks_are_cut(cuts):
    content = STREAM.encode()
    edges = [0, *cuts, len(content)]
    chunks = [content[start:end] for start, end in itertools.pairwise(edges)]
    assert list(read_events(chunks)) == DATA


def test_an_event_that_is_not_complete_is_not_an_event():
    assert list(read_events([b"data: {}\n"])) == []


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(UnicodeDecodeError):
        list(read_events([b"data: \xff\n\n"]))
