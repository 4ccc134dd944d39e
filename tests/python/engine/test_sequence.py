"""A sequence knows where it stands and tells whoever waits."""

from ttdirect.engine import FinishReason, Request, Token
from ttdirect.engine.sequence import Finished, Sequence


def a_sequence(**options):
    options = {"prompt_ids": (5, 6, 7), "max_tokens": 3, "stop_ids": frozenset({0})} | options
    return Sequence(Request(**options))


def accept(sequence, token, at=1.0):
    return sequence.accept(Token(token), sequence.submitted_at + at)


def events_of(sequence):
    return [sequence.events.get_nowait() for _ in range(sequence.events.qsize())]


class TestPosition:
    def test_the_first_new_token_goes_right_behind_the_prompt(self):
        sequence = a_sequence()
        accept(sequence, 9)
        assert sequence.position == 3

    def test_each_token_moves_it_by_one(self):
        sequence = a_sequence()
        accept(sequence, 9)
        accept(sequence, 8)
        assert sequence.position == 4


class TestAccept:
    def test_the_answer_goes_on_until_max_tokens(self):
        sequence = a_sequence()
        assert [accept(sequence, t) for t in (4, 5, 6)] == [None, None, FinishReason.LENGTH]
        assert sequence.tokens == [Token(4), Token(5), Token(6)]

    def test_a_stop_token_ends_the_answer_and_is_no_part_of_it(self):
        sequence = a_sequence()
        assert [accept(sequence, t) for t in (4, 0)] == [None, FinishReason.STOP]
        assert sequence.tokens == [Token(4)]

    def test_a_stop_token_in_the_last_place_is_a_stop(self):
        sequence = a_sequence()
        assert [accept(sequence, t) for t in (4, 5, 0)][-1] is FinishReason.STOP

    def test_tokens_are_handed_over_one_by_one(self):
        sequence = a_sequence()
        accept(sequence, 4)
        accept(sequence, 5)
        assert events_of(sequence) == [Token(4), Token(5)]

    def test_tokens_are_handed_over_at_the_end_when_that_is_enough(self):
        sequence = a_sequence(every_token=False)
        accept(sequence, 4)
        assert events_of(sequence) == []
        sequence.finish(FinishReason.LENGTH)
        (finished,) = events_of(sequence)
        assert finished.tokens == (Token(4),)

    def test_the_time_of_the_first_token_stays(self):
        sequence = a_sequence()
        assert sequence.first_token_at is None
        accept(sequence, 4, at=1.0)
        accept(sequence, 5, at=2.0)
        assert sequence.first_token_at == sequence.submitted_at + 1.0
        assert sequence.last_token_at == sequence.submitted_at + 2.0


class TestFinish:
    def test_the_last_event_carries_the_reason_and_all_tokens(self):
        sequence = a_sequence()
        accept(sequence, 4)
        sequence.finish(FinishReason.ABORT)
        *_, last = events_of(sequence)
        assert isinstance(last, Finished)
        assert (last.reason, last.tokens) == (FinishReason.ABORT, (Token(4),))
        assert last is sequence.finished
        assert last.at >= sequence.submitted_at


class TestDeadline:
    def test_it_counts_from_submission(self):
        sequence = a_sequence(timeout_seconds=5.0)
        assert sequence.deadline == sequence.submitted_at + 5.0

    def test_without_a_limit_there_is_none(self):
        assert a_sequence().deadline is None
