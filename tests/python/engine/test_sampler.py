"""A request's tokens depend on its logits, its parameters and its seed, on nothing else."""

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from ttdirect.engine import SamplingParams
from ttdirect.engine.sampler import Sampler, choose_all

LOGITS = torch.tensor([1.0, 3.0, 2.0, 0.0, -1.0, 2.5])
INF = math.inf


def draws(params, logits=LOGITS, count=200):
    sampler = Sampler(params)
    return [sampler.choose(logits) for _ in range(count)]


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
        samplers = [Sampler(SamplingParams()) for _ in range(3)]
        assert choose_all(samplers, logits) == [s.choose(logits[0]) for s in samplers] == [1] * 3

    def test_top_p_and_top_k_change_nothing(self):
        assert set(draws(SamplingParams(0.0, top_p=0.1, top_k=3, seed=1), count=5)) == {1}


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

    @given(
        rows=st.lists(st.tuples(st.sampled_from([0.0, 0.7, 2.0]), st.integers(0, 9)), min_size=1),
        noise=st.integers(0, 2**31),
    )
    def test_a_row_chooses_the_same_whoever_else_is_in_the_batch(self, rows, noise):
        logits = torch.randn(len(rows), 50, generator=torch.Generator().manual_seed(noise))
        params = [SamplingParams(temperature, seed=seed) for temperature, seed in rows]
        together = choose_all([Sampler(p) for p in params], logits)
        alone = [Sampler(p).choose(row) for p, row in zip(params, logits, strict=True)]
        assert together == alone


class TestExtremeLogits:
    @pytest.mark.parametrize("options", [{}, {"top_k": 3}, {"top_p": 0.9}])
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
        params = SamplingParams(temperature, seed=1, **options)
        assert set(draws(params, torch.tensor(logits), count=40)) <= possible

    @pytest.mark.parametrize("logits", [[-INF] * 4, [INF] * 4, [math.nan] * 4, [0.0] * 4])
    @pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_p": 0.5}])
    def test_where_nothing_is_likelier_some_token_is_drawn(self, logits, options):
        params = SamplingParams(1.0, seed=1, **options)
        assert set(draws(params, torch.tensor(logits))) <= {0, 1, 2, 3}

    def test_a_tiny_temperature_is_as_good_as_greedy(self):
        assert set(draws(SamplingParams(5e-324, seed=1), count=20)) == {1}

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
    def test_any_float_type_will_do(self, dtype):
        assert set(draws(SamplingParams(0.01, seed=1), LOGITS.to(dtype), count=20)) == {1}

    @given(
        st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=40),
        st.floats(0.0, 2.0),
        st.floats(0.0, 1.0, exclude_min=True),
        st.integers(0, 50),
    )
    def test_whatever_the_logits_a_token_of_the_vocabulary_is_chosen(
        self, logits, temperature, top_p, top_k
    ):
        params = SamplingParams(temperature, top_p, top_k, seed=0)
        assert 0 <= Sampler(params).choose(torch.tensor(logits)) < len(logits)
