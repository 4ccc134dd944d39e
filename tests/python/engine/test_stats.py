"""What is counted when, for numbers that can be written down."""

import threading

import pytest

from ttdirect.engine import FinishReason, Request, Stats, Token
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stats import Histogram

END = 99


def a_sequence(prompt_tokens=10, max_tokens=5, submitted_at=100.0):
    request = Request(tuple(range(1, prompt_tokens + 1)), max_tokens, stop_ids=frozenset({END}))
    sequence = Sequence(request)
    sequence.submitted_at = submitted_at
    return sequence


class TestHistogram:
    def test_a_bound_belongs_to_its_range(self):
        histogram = Histogram((1.0, 2.0))
        for value in (0.5, 1.0, 1.5, 2.0, 2.5):
            histogram.observe(value)
        assert histogram.counts == [2, 2, 1]
        assert histogram.sum == 7.5

    def test_a_value_can_count_several_times(self):
        histogram = Histogram((1.0,))
        histogram.observe(3.0, times=4)
        assert (histogram.counts, histogram.sum) == ([0, 4], 12.0)


class TestRequests:
    def test_the_times_run_from_question_to_last_token(self):
        stats, sequence = Stats(), a_sequence(submitted_at=100.0)
        sequence.admitted_at = 101.0
        stats.admitted(sequence)
        sequence.accept(Token(1), 103.0)
        stats.read(sequence)
        for at in (104.0, 106.0):
            stats.decoded([(sequence, 1)], at)
            sequence.accept(Token(2), at)
        stats.ended(sequence, FinishReason.CANCELLED, 110.0)  # noticed a while later
        assert stats.queue_time.sum == 1.0
        assert stats.prefill_time.sum == 2.0
        assert stats.decode_time.sum == 3.0
        assert stats.inference_time.sum == 5.0
        assert stats.time_to_first_token.sum == 3.0
        assert stats.inter_token_latency.sum == 3.0
        assert sum(stats.inter_token_latency.counts) == 2
        assert stats.e2e_latency.sum == 10.0
        assert (stats.prompt_tokens, stats.generation_tokens) == (10, 3)
        assert stats.finished == {"cancelled": 1}

    def test_an_end_token_is_generated_but_no_part_of_the_answer(self):
        stats, sequence = Stats(), a_sequence()
        sequence.admitted_at = 100.0
        sequence.accept(Token(1), 101.0)
        assert sequence.accept(Token(END), 102.0) is FinishReason.STOP
        stats.ended(sequence, FinishReason.STOP, 102.0)
        assert len(sequence.tokens) == 1
        assert stats.request_generation_tokens.sum == 2

    def test_who_never_left_the_queue_has_a_whole_time_only(self):
        stats, sequence = Stats(), a_sequence()
        stats.ended(sequence, FinishReason.DEADLINE, 107.0)
        assert stats.e2e_latency.sum == 7.0
        for histogram in (stats.queue_time, stats.prefill_time, stats.decode_time):
            assert sum(histogram.counts) == 0
        assert stats.request_generation_tokens.counts[0] == 1

    def test_who_ends_before_the_first_token_has_no_times_of_computing(self):
        stats, sequence = Stats(), a_sequence()
        sequence.admitted_at = 101.0
        stats.ended(sequence, FinishReason.ERROR, 107.0)
        assert stats.queue_time.sum == 1.0
        for histogram in (stats.prefill_time, stats.decode_time, stats.inference_time):
            assert sum(histogram.counts) == 0

    def test_the_prefix_cache_is_counted_in_tokens_when_a_request_is_admitted(self):
        stats, sequence = Stats(), a_sequence(prompt_tokens=40)
        sequence.cached_tokens = 32
        stats.admitted(sequence)
        assert (stats.prefix_queries, stats.prefix_hits) == (40, 32)


def test_a_step_of_many_makes_a_token_for_each():
    stats = Stats()
    stats.decoded([(a_sequence(), 1) for _ in range(3)], 1.0)
    assert stats.generation_tokens == 3
    assert stats.iteration_tokens.sum == 3
    assert sum(stats.iteration_tokens.counts) == 1


@pytest.mark.parametrize("reason", ["queue_full", "prompt_too_long"])
def test_no_refusal_is_lost_when_many_threads_are_refused(reason):
    stats = Stats()

    def refuse():
        for _ in range(2000):
            stats.refuse(reason)

    threads = [threading.Thread(target=refuse) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats.refused == {reason: 8000}
