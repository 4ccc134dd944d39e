"""Numbers outside of their range never reach the engine."""

import math

import pytest

from ttdirect.engine import FinishReason, Request, SamplingParams


class TestSamplingParams:
    def test_the_default_is_greedy(self):
        assert SamplingParams().is_greedy
        assert not SamplingParams(temperature=0.01).is_greedy

    @pytest.mark.parametrize("temperature", [-0.1, 2.1, math.nan, math.inf, -math.inf])
    def test_a_temperature_outside_0_to_2_is_refused(self, temperature):
        with pytest.raises(ValueError, match=r"temperature must be from 0.0 to 2.0"):
            SamplingParams(temperature=temperature)

    @pytest.mark.parametrize("top_p", [0.0, -0.5, 1.1, math.nan, math.inf])
    def test_a_top_p_outside_0_to_1_is_refused(self, top_p):
        with pytest.raises(ValueError, match=r"top_p must be above 0.0 and at most 1.0"):
            SamplingParams(top_p=top_p)

    def test_a_negative_top_k_is_refused(self):
        with pytest.raises(ValueError, match=r"top_k must be 0 \(off\) or more, not -1"):
            SamplingParams(top_k=-1)

    def test_the_borders_are_allowed(self):
        SamplingParams(temperature=2.0, top_p=1.0, top_k=0)


class TestRequest:
    def test_a_prompt_without_tokens_is_refused(self):
        with pytest.raises(ValueError, match="the prompt has no tokens"):
            Request(prompt_ids=(), max_tokens=1)

    def test_an_answer_without_tokens_is_refused(self):
        with pytest.raises(ValueError, match="max_tokens must be at least 1, not 0"):
            Request(prompt_ids=(1,), max_tokens=0)


def test_finish_reasons_read_as_clients_know_them():
    assert [reason.value for reason in FinishReason] == [
        "stop",
        "length",
        "abort",
        "cancelled",
        "deadline",
        "error",
    ]
