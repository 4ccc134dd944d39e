"""A token is chosen as temperature, top_k, top_p, min_p and the seed say, whatever the logits."""

import math
import random

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given

from samplers import LOGITS, a_sampler, draws, noise
from ttdirect.engine import SamplingParams
from ttdirect.engine.sampler import MANY, choose_all

INF = math.inf


def chi_square(observed, probabilities, count):
    expected = [float(p) * count for p in probabilities]
    # What is expected fewer than five times goes into one cell, as the test wants it.
    cells = [(o, e) for o, e in zip(observed, expected, strict=True) if e >= 5]
    rare = sum(observed) - sum(o for o, _ in cells), count - sum(e for _, e in cells)
    return sum((o - e) ** 2 / max(e, 1.0) for o, e in [*cells, rare])


class TestGreedy:
    def test_the_most_likely_token_is_taken(self):
        assert draws(SamplingParams(), count=3) == [1, 1, 1]

    def test_the_first_of_equals_is_taken_alone_and_in_a_batch(self):
        logits = torch.tensor([[0.0, 5.0, 5.0, 1.0]] * 3)
        samplers = [a_sampler() for _ in range(3)]
        alone = [sampler.choose(logits[0]) for sampler in samplers]
        assert choose_all(samplers, logits) == alone
        assert [token.id for token in alone] == [1, 1, 1]

    def test_top_p_and_top_k_and_min_p_change_nothing(self):
        params = SamplingParams(0.0, top_p=0.1, top_k=3, min_p=0.5, seed=1)
        assert set(draws(params, count=5)) == {1}

    @pytest.mark.parametrize(
        "changed",
        [
            {"temperature": 0.5},
            {"logit_bias": ((1, 1.0),)},
            {"presence_penalty": 0.1},
            {"frequency_penalty": -0.1},
            {"repetition_penalty": 1.1},
            {"top_logprobs": 0},
        ],
    )
    def test_only_who_wants_nothing_else_takes_the_short_way(self, changed):
        assert a_sampler(SamplingParams(top_k=3, top_p=0.5, min_p=0.1, seed=1)).is_plain
        assert not a_sampler(SamplingParams(**changed)).is_plain


class TestSets:
    @pytest.mark.parametrize("top_k", [1, 2, 3, 5])
    def test_top_k_keeps_the_k_most_likely_and_all_of_them(self, top_k):
        drawn = set(draws(SamplingParams(2.0, top_k=top_k, seed=3), count=600))
        assert drawn == set(LOGITS.topk(top_k).indices.tolist())

    def test_a_top_k_beyond_the_vocabulary_keeps_everything(self):
        drawn = set(draws(SamplingParams(2.0, top_k=10**9, seed=3), count=600))
        assert drawn == set(range(6))

    @pytest.mark.parametrize(
        ("top_p", "kept"), [(0.01, {1}), (0.45, {1}), (0.47, {1, 5}), (0.8, {1, 5, 2})]
    )
    def test_top_p_keeps_the_token_that_crosses_it_and_none_behind(self, top_p, kept):
        # In order they hold .459, .279, .169, .062, .023 and .008; the first ones' sums are .459,
        # .738 and .907.
        assert set(draws(SamplingParams(1.0, top_p=top_p, seed=3), count=800)) == kept

    def test_top_p_counts_within_what_top_k_kept(self):
        # The best two hold 0.62 and 0.38 of each other's probability.
        assert set(draws(SamplingParams(1.0, top_k=2, top_p=0.6, seed=3))) == {1}
        assert set(draws(SamplingParams(1.0, top_k=2, top_p=0.65, seed=3))) == {1, 5}

    @pytest.mark.parametrize(
        ("min_p", "kept"), [(1.0, {1}), (0.6, {1, 5}), (0.3, {1, 5, 2}), (0.001, set(range(6)))]
    )
    def test_min_p_keeps_what_is_nearly_as_likely_as_the_best(self, min_p, kept):
        # Beside the best they are 1, .607, .368, .135, .050 and .018 as likely.
        assert set(draws(SamplingParams(1.0, min_p=min_p, seed=3), count=1500)) == kept

    def test_min_p_looks_at_the_probabilities_after_temperature(self):
        # The second is exp(-0.5 / 0.5) = .368 as likely as the best, and exp(-0.5 / 2) = .779.
        assert set(draws(SamplingParams(0.5, min_p=0.5, seed=3))) == {1}
        assert 5 in set(draws(SamplingParams(2.0, min_p=0.5, seed=3)))

    def test_top_p_counts_within_what_min_p_kept(self):
        # Of the three that min_p keeps the best holds .506 of the probability.
        assert set(draws(SamplingParams(1.0, min_p=0.3, top_p=0.5, seed=3))) == {1}
        assert set(draws(SamplingParams(1.0, min_p=0.3, top_p=0.52, seed=3))) == {1, 5}

    @pytest.mark.parametrize("spread", [0.05, 8.0])
    @pytest.mark.parametrize("top_p", [0.2, 0.9])
    def test_top_p_of_many_tokens_is_what_sorting_all_of_them_gives(self, spread, top_p):
        logits = noise(1, 3 * MANY)[0] * spread  # nearly even, or with a few good ones
        weights = np.exp(logits.double().numpy())
        order = np.argsort(-weights)
        before = np.cumsum(weights[order]) / weights.sum() - weights[order] / weights.sum()
        kept = order[before < top_p].tolist()
        drawn = set(draws(SamplingParams(1.0, top_p=top_p, seed=3), logits, count=400))
        assert drawn <= set(kept)
        assert len(drawn) > min(len(kept), 400) / 3
        # By the running sum over them, in their order, as the random number tells.
        number = random.Random(3).random() * weights[kept].sum()
        first = kept[int(np.searchsorted(np.cumsum(weights[kept]), number, side="right"))]
        assert draws(SamplingParams(1.0, top_p=top_p, seed=3), logits, count=1) == [first]


class TestDistribution:
    @pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
    def test_tokens_come_as_often_as_the_softmax_says(self, temperature):
        count = 3000
        drawn = draws(SamplingParams(temperature, seed=5), count=count)
        expected = torch.softmax(LOGITS.double() / temperature, dim=-1)
        observed = [drawn.count(token) for token in range(6)]
        # 5 degrees of freedom: above 20.5 once in a thousand seeds, and the seed is fixed.
        assert chi_square(observed, expected, count) < 20.5

    def test_what_top_k_and_top_p_keep_is_shared_out_in_proportion(self):
        count = 3000
        drawn = draws(SamplingParams(1.0, top_k=4, top_p=0.9, seed=6), count=count)
        kept = torch.softmax(LOGITS.double()[[1, 5, 2]], dim=-1)
        assert chi_square([drawn.count(t) for t in (1, 5, 2)], kept, count) < 13.8
        assert len(drawn) == sum(drawn.count(t) for t in (1, 5, 2))

    def test_bias_and_penalties_come_before_the_temperature(self):
        count, drawn = 800, []
        for seed in range(count):
            params = SamplingParams(
                2.0, seed=seed, logit_bias=((3, 2.0),), presence_penalty=1.0, frequency_penalty=0.5
            )
            sampler = a_sampler(params)
            for token in (1, 1):  # the answer's beginning: no other is possible
                certain = torch.full((6,), -1e4)
                certain[token] = 1e4
                assert sampler.choose(certain).id == token
            drawn.append(sampler.choose(LOGITS).id)
        changed = np.array([1.0, 3.0 - 1.0 - 2 * 0.5, 2.0, 0.0 + 2.0, -1.0, 2.5])
        weights = np.exp(changed / 2.0)
        observed = [drawn.count(token) for token in range(6)]
        assert chi_square(observed, weights / weights.sum(), count) < 20.5


class TestSeeds:
    @given(seed=st.integers(-(2**63), 2**64))
    def test_the_same_seed_gives_the_same_tokens(self, seed):
        params = SamplingParams(1.5, seed=seed)
        assert draws(params, count=20) == draws(params, count=20)

    def test_other_seeds_give_other_tokens(self):
        runs = {tuple(draws(SamplingParams(1.5, seed=seed), count=20)) for seed in range(50)}
        assert len(runs) == 50

    def test_no_seed_gives_other_tokens_each_time(self):
        runs = {tuple(draws(SamplingParams(1.5), count=40)) for _ in range(5)}
        assert len(runs) == 5

    def test_a_number_that_rounds_up_to_the_sum_draws_the_last_token_with_a_weight(self):
        sampler = a_sampler(SamplingParams(1.0, seed=0))
        sampler._random.random = lambda: 1.0
        assert sampler.choose(torch.tensor([1.0, 2.0, -1e9, -1e9])).id == 1


class TestExtremeLogits:
    @pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.9}, {"min_p": 0.5}])
    @pytest.mark.parametrize("temperature", [1e-310, 1e-9, 1.0, 2.0])
    @pytest.mark.parametrize(
        ("logits", "possible"),
        [
            ([0.0, INF, 0.0, -INF], {1}),
            ([INF, 0.0, INF, 0.0], {0, 2}),
            ([-INF, -INF, 4.0, -INF], {2}),
            ([3e38, -3e38, 0.0, 1.0], {0}),
            ([-3e38, -3e38, -3e38, 5.0], {3}),
            ([math.nan, 2.0, -INF, -INF], {1}),
        ],
    )
    def test_only_likely_tokens_are_drawn(self, logits, possible, temperature, options):
        for more in ({}, {"frequency_penalty": 2.0}):
            params = SamplingParams(temperature, seed=1, **options, **more)
            assert set(draws(params, torch.tensor(logits), count=40)) <= possible

    @pytest.mark.parametrize("logits", [[-INF] * 4, [INF] * 4, [math.nan] * 4, [0.0] * 4])
    @pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.5}, {"min_p": 0.5}])
    def test_where_nothing_is_likelier_some_token_is_drawn(self, logits, options):
        params = SamplingParams(1.0, seed=1, **options)
        assert set(draws(params, torch.tensor(logits))) <= {0, 1, 2, 3}

    def test_a_tiny_temperature_is_as_good_as_greedy(self):
        assert set(draws(SamplingParams(5e-324, seed=1), count=20)) == {1}

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
    def test_any_float_type_will_do(self, dtype):
        assert set(draws(SamplingParams(0.01, seed=1), LOGITS.to(dtype), count=20)) == {1}
        penalised = SamplingParams(presence_penalty=2.0, top_logprobs=1)
        assert draws(penalised, LOGITS.to(dtype), count=2) == [1, 5]

    @given(
        st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=40),
        st.floats(0.0, 2.0),
        st.floats(0.0, 1.0, exclude_min=True),
        st.integers(0, 50),
        st.floats(0.0, 1.0),
        st.floats(-2.0, 2.0),
        st.floats(0.0, 2.0, exclude_min=True),
    )
    def test_whatever_the_logits_a_token_of_the_vocabulary_is_chosen(
        self, logits, temperature, top_p, top_k, min_p, frequency, repetition
    ):
        params = SamplingParams(
            temperature,
            top_p,
            top_k,
            seed=0,
            min_p=min_p,
            frequency_penalty=frequency,
            repetition_penalty=repetition,
        )
        drawn = draws(params, torch.tensor(logits), count=2, stop_ids=frozenset({0}), min_tokens=1)
        assert all(0 <= token < len(logits) for token in drawn)
