"""What changes the logits before a token is chosen: penalties, biases, a least number of tokens."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from samplers import LOGITS, a_sampler, draws, noise
from ttdirect.engine import SamplingParams


def greedy_by_the_book(rows, params, prompt):
    """What a greedy request with penalties chooses, written out in numpy."""
    said = []
    for row in rows.double().numpy():
        logits = row.copy()
        for token, bias in params.logit_bias:
            if token < len(logits):
                logits[token] += bias
        for token in {*prompt, *said}:
            penalty = params.repetition_penalty
            logits[token] *= 1 / penalty if logits[token] > 0 else penalty
        for token in set(said):
            logits[token] -= params.frequency_penalty * said.count(token)
            logits[token] -= params.presence_penalty
        said.append(int(np.argmax(logits)))
    return said


class TestPenaltiesAndBias:
    @given(
        seed=st.integers(0, 2**31),
        presence=st.sampled_from([0.0, -1.5, 0.7, 2.0]),
        frequency=st.sampled_from([0.0, -0.3, 0.4, 2.0]),
        repetition=st.sampled_from([1.0, 0.5, 1.2, 2.0]),
        bias=st.dictionaries(st.integers(0, 20), st.floats(-100, 100), max_size=4),
        prompt=st.lists(st.integers(0, 11), min_size=1, max_size=6),
    )
    def test_over_many_steps_they_add_up_as_defined(
        self, seed, presence, frequency, repetition, bias, prompt
    ):
        params = SamplingParams(
            presence_penalty=presence,
            frequency_penalty=frequency,
            repetition_penalty=repetition,
            logit_bias=tuple(bias.items()),
        )
        rows = noise(25, 12, seed)
        sampler = a_sampler(params, prompt)
        chosen = [sampler.choose(row).id for row in rows]
        assert chosen == greedy_by_the_book(rows, params, prompt)

    def test_presence_and_frequency_do_not_look_at_the_prompt(self):
        params = SamplingParams(presence_penalty=2.0, frequency_penalty=2.0)
        assert draws(params, count=3, prompt=[1, 1, 1]) == [1, 5, 2]

    def test_repetition_does(self):
        # 3.0 / 1.5 = 2.0 is less than 2.5, and equal to the 2.0 of a later token.
        assert draws(SamplingParams(repetition_penalty=1.5), count=1, prompt=[1]) == [5]

    def test_repetition_makes_negative_logits_more_negative(self):
        logits = torch.tensor([-1.0, -1.5, -9.0])
        assert draws(SamplingParams(repetition_penalty=2.0), logits, 1, prompt=[0]) == [1]

    def test_a_prompt_with_tokens_behind_the_logits_does_no_harm(self):
        assert draws(SamplingParams(repetition_penalty=1.5), count=1, prompt=[99, 1]) == [5]

    @pytest.mark.parametrize(("bias", "token"), [(100.0, 4), (-100.0, 1)])
    def test_a_bias_of_100_forces_or_forbids(self, bias, token):
        biased = 4 if bias > 0 else 5
        assert draws(SamplingParams(logit_bias=((biased, bias),)), count=2) == [token] * 2

    def test_a_bias_for_a_token_that_the_model_does_not_know_is_ignored(self):
        assert draws(SamplingParams(logit_bias=((6, 100.0), (10**9, 100.0))), count=2) == [1, 1]

    def test_the_logits_themselves_stay_as_they_were(self):
        logits = LOGITS.double()
        params = SamplingParams(logit_bias=((1, 9.0),), repetition_penalty=2.0, top_logprobs=1)
        draws(params, logits, 2, stop_ids=frozenset({1}), min_tokens=5)
        assert torch.equal(logits, LOGITS.double())


class TestMinTokens:
    @pytest.mark.parametrize("temperature", [0.0, 1.0])
    def test_none_of_the_stop_tokens_comes_before(self, temperature):
        logits = LOGITS + torch.tensor([0.0, 50.0, 0.0, 0.0, 0.0, 50.0])
        drawn = draws(
            SamplingParams(temperature, seed=1),
            logits,
            count=8,
            stop_ids=frozenset({1, 5, 777}),
            min_tokens=6,
        )
        assert not {1, 5} & set(drawn[:6])
        assert set(drawn[6:]) <= {1, 5}

    def test_without_stop_tokens_there_is_nothing_to_forbid(self):
        assert a_sampler(min_tokens=5).is_plain
