"""The log-probabilities that are told beside a token: the model's own, and always numbers."""

import math

import numpy as np
import pytest
import torch

from samplers import LOGITS, a_sampler
from ttdirect.engine import SamplingParams


class TestLogprobs:
    def by_the_book(self, logits):
        numbers = logits.double().numpy()
        return numbers - np.log(np.exp(numbers).sum())

    def test_they_are_the_models_own_whatever_changes_the_choice(self):
        params = SamplingParams(
            1.7, seed=2, top_k=2, top_logprobs=6, logit_bias=((0, 50.0),), presence_penalty=2.0
        )
        expected = self.by_the_book(LOGITS)
        sampler = a_sampler(params)
        for token in (sampler.choose(LOGITS) for _ in range(5)):
            assert token.logprob == pytest.approx(expected[token.id])
            assert [id_ for id_, _ in token.top] == [1, 5, 2, 0, 3, 4]
            assert [value for _, value in token.top] == pytest.approx(sorted(expected)[::-1])
            assert sum(math.exp(value) for _, value in token.top) == pytest.approx(1.0)

    def test_an_unlikely_token_is_reported_beside_the_likely_ones(self):
        params = SamplingParams(logit_bias=((4, 100.0),), top_logprobs=2)
        token = a_sampler(params).choose(LOGITS)
        assert token.id == 4
        assert token.logprob == pytest.approx(self.by_the_book(LOGITS)[4])
        assert [id_ for id_, _ in token.top] == [1, 5]

    def test_0_reports_the_chosen_token_alone_and_none_nothing(self):
        token = a_sampler(SamplingParams(top_logprobs=0)).choose(LOGITS)
        assert token.logprob == pytest.approx(self.by_the_book(LOGITS)[1])
        assert token.top == ()
        assert a_sampler().choose(LOGITS).logprob is None

    def test_a_small_vocabulary_has_no_more_to_report(self):
        assert len(a_sampler(SamplingParams(top_logprobs=20)).choose(LOGITS).top) == 6

    def test_they_are_finite_numbers_whatever_the_logits(self):
        # JSON knows no infinity.
        logits = torch.tensor([math.inf, -math.inf, math.nan, 1.0])
        token = a_sampler(SamplingParams(top_logprobs=4)).choose(logits)
        assert all(math.isfinite(value) for _, value in token.top)
        assert math.isfinite(token.logprob)
