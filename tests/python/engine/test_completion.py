"""The thread that asked gets text, figures or a reason why not."""

import logging

import hypothesis.strategies as st
import pytest
from hypothesis import given

from byte_tokenizer import ByteTokenizer
from ttdirect.engine import (
    Completion,
    DeadlineError,
    FinishReason,
    NotReadyError,
    Request,
    StepFailedError,
    Token,
)
from ttdirect.engine import completion as module
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.text import TextCodec


class BrokenTokenizer(ByteTokenizer):
    def decode(self, *_, **__):
        raise RuntimeError("no such token")


def an_answer(
    text=b"", reason=FinishReason.STOP, *, stops=(), admitted=True, tokenizer=None, **request
):
    """A completion whose engine has already done all it will do, and who was cancelled."""
    request = {"prompt_ids": (1,), "max_tokens": 1000} | request
    sequence = Sequence(Request(**request))
    cancelled = []
    codec = TextCodec(tokenizer or ByteTokenizer())
    completion = Completion(sequence, codec, stops, lambda who, _: cancelled.append(who), '"hi"')
    if admitted:
        sequence.admitted_at = sequence.submitted_at
    for token in text:
        sequence.accept(Token(token), sequence.submitted_at)
    if reason is not None:
        sequence.finish(reason)
    return completion, cancelled


class TestPieces:
    def test_each_token_is_a_piece_of_a_stream(self):
        completion, _ = an_answer("häh".encode())
        assert list(completion.pieces()) == ["h", "ä", "h"]
        assert completion.text == "häh"

    def test_without_a_stream_the_text_comes_in_one_piece(self):
        completion, _ = an_answer("häh".encode(), every_token=False)
        assert list(completion.pieces()) == ["häh"]

    def test_an_incomplete_character_at_the_end_is_not_lost(self):
        completion, _ = an_answer("hä".encode()[:2])
        assert "".join(completion.pieces()) == "h\ufffd"

    def test_an_empty_piece_tells_that_nothing_came(self, monkeypatch):
        monkeypatch.setattr(module, "TICK_SECONDS", 0.001)
        completion, _ = an_answer(reason=None)
        pieces = completion.pieces()
        assert [next(pieces), next(pieces)] == ["", ""]

    def test_a_second_reader_gets_nothing_more(self):
        completion, _ = an_answer(b"hi")
        list(completion.pieces())
        assert list(completion.pieces()) == []
        assert completion.text == "hi"

    @given(
        text=st.text(alphabet="ab€😀", max_size=25),
        stops=st.lists(st.text(alphabet="ab€😀", min_size=1, max_size=4), max_size=4),
    )
    def test_streamed_pieces_joined_are_the_text_that_is_not_streamed(self, text, stops):
        streamed, _ = an_answer(text.encode(), stops=tuple(stops))
        whole, _ = an_answer(text.encode(), stops=tuple(stops), every_token=False)
        assert "".join(streamed.pieces()) == "".join(whole.pieces())
        assert streamed.text == whole.text
        assert streamed.figures.tokens_generated == whole.figures.tokens_generated
        assert not any(stop in streamed.text for stop in stops)


class TestStopStrings:
    def test_a_stop_string_ends_the_answer_and_frees_the_slot(self):
        completion, cancelled = an_answer(b"one END two", None, stops=("END",))
        assert "".join(completion.pieces()) == "one "
        assert completion.figures.finish_reason is FinishReason.STOP
        assert completion.figures.tokens_generated == len("one END")
        assert len(cancelled) == 1

    def test_a_stop_string_found_in_the_last_tokens_is_a_stop_and_no_length(self):
        completion, _ = an_answer(
            b"one END", FinishReason.LENGTH, stops=("END",), every_token=False
        )
        assert "".join(completion.pieces()) == "one "
        assert completion.figures.finish_reason is FinishReason.STOP

    def test_what_was_held_back_is_shown_when_the_answer_ends_without_it(self):
        completion, _ = an_answer(b"one EN", FinishReason.LENGTH, stops=("END",))
        assert "".join(completion.pieces()) == "one EN"
        assert completion.figures.finish_reason is FinishReason.LENGTH

    def test_a_stop_string_that_only_the_flushed_bytes_complete_counts(self):
        completion, _ = an_answer(b"a\xc3", FinishReason.LENGTH, stops=("\ufffd",))
        assert "".join(completion.pieces()) == "a"
        assert completion.figures.finish_reason is FinishReason.STOP


class TestEndings:
    @pytest.mark.parametrize("reason", [FinishReason.STOP, FinishReason.LENGTH])
    def test_a_complete_answer_is_not_cancelled(self, reason):
        completion, cancelled = an_answer(b"hi", reason)
        list(completion.pieces())
        assert completion.figures.finish_reason is reason
        assert cancelled == []

    @pytest.mark.parametrize(
        ("reason", "error", "sentence"),
        [
            (FinishReason.ERROR, StepFailedError, "model failed while it computed"),
            (FinishReason.DEADLINE, DeadlineError, "not complete within 2.5 s"),
        ],
    )
    def test_an_answer_that_did_not_come_about_raises_why(self, reason, error, sentence):
        completion, cancelled = an_answer(b"hi", reason, timeout_seconds=2.5)
        with pytest.raises(error, match=sentence):
            list(completion.pieces())
        assert completion.figures.finish_reason is reason
        assert cancelled == []

    def test_who_waited_at_shutdown_is_told_to_come_back(self):
        completion, _ = an_answer(reason=FinishReason.ABORT, admitted=False)
        with pytest.raises(NotReadyError, match="shutting down") as caught:
            list(completion.pieces())
        assert caught.value.retry_after == 30

    def test_who_ran_at_shutdown_keeps_what_came(self):
        completion, _ = an_answer(b"hi", FinishReason.ABORT)
        assert "".join(completion.pieces()) == "hi"
        assert completion.figures.finish_reason is FinishReason.ABORT


class TestLeaving:
    def test_who_stops_reading_gives_the_slot_back(self):
        completion, cancelled = an_answer(b"hi", None)
        pieces = completion.pieces()
        next(pieces)
        pieces.close()
        assert len(cancelled) == 1
        assert completion.figures.finish_reason is FinishReason.CANCELLED
        assert completion.figures.tokens_generated == 1

    def test_cancelling_ends_the_pieces(self):
        completion, _ = an_answer(b"hi", None)
        completion.cancel()
        assert list(completion.pieces()) == []

    def test_cancelling_twice_or_after_the_end_changes_nothing(self):
        completion, cancelled = an_answer(b"hi", FinishReason.LENGTH)
        list(completion.pieces())
        completion.cancel()
        assert cancelled == []
        assert completion.figures.finish_reason is FinishReason.LENGTH

    def test_a_tokenizer_that_breaks_gives_the_slot_back(self):
        completion, cancelled = an_answer(b"hi", None, tokenizer=BrokenTokenizer())
        with pytest.raises(RuntimeError, match="no such token"):
            list(completion.pieces())
        assert len(cancelled) == 1


class TestFigures:
    def test_they_add_up(self):
        completion, _ = an_answer(b"hello")
        list(completion.pieces())
        figures = completion.figures
        assert figures.tokens_generated == 5
        assert figures.time_seconds >= figures.ttft_seconds >= figures.queue_seconds == 0.0
        assert figures.tokens_per_second == pytest.approx(5 / figures.time_seconds)

    def test_an_answer_without_tokens_has_figures_too(self):
        completion, _ = an_answer(reason=FinishReason.STOP)
        list(completion.pieces())
        assert completion.figures.tokens_generated == 0
        assert completion.figures.tokens_per_second == 0.0

    def test_who_never_ran_waited_all_the_time(self):
        completion, _ = an_answer(reason=FinishReason.CANCELLED, admitted=False)
        list(completion.pieces())
        figures = completion.figures
        assert figures.queue_seconds == figures.ttft_seconds == pytest.approx(figures.time_seconds)


class TestLog:
    def test_there_is_one_line_at_each_end(self, caplog):
        caplog.set_level(logging.INFO, logger="ttdirect.requests")
        completion, _ = an_answer(b"hi", FinishReason.LENGTH, prompt_ids=(1, 2))
        list(completion.pieces())
        asks, gets = [record.getMessage() for record in caplog.records]
        assert asks == f'#{completion.number} asks  "hi"  (2 tokens, up to 1000 more)'
        assert gets.startswith(f"#{completion.number} gets  2 tokens in ")
        assert gets.endswith("(length)")
