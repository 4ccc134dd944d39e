"""Which requests the device may choose for."""

from dataclasses import dataclass

import pytest

from samplers import a_sampler
from ttdirect.engine import SamplingParams
from ttdirect.engine.device_sampling import (
    DeviceSampling,
    RowSampling,
    device_sampling,
    neutral,
    row_sampling,
)

TOP_K = SamplingParams(temperature=0.8, top_k=32, top_p=0.5)


def test_the_likeliest_token_and_draws_from_up_to_32_are_the_devices():
    assert row_sampling(a_sampler()) == RowSampling(0.0, 1, 1.0)
    sampler = a_sampler(TOP_K)
    assert row_sampling(sampler) == RowSampling(0.8, 32, 0.5, sampler.seed % 2**31)


def test_two_requests_draw_other_numbers():
    assert row_sampling(a_sampler(TOP_K)).seed != row_sampling(a_sampler(TOP_K)).seed


@pytest.mark.parametrize(
    "params",
    [
        {"temperature": 1.0},
        {"temperature": 1.0, "top_k": 33},
        {"temperature": 1.0, "top_k": 5, "seed": 1},
        {"temperature": 1.0, "top_k": 5, "min_p": 0.1},
        {"temperature": 1.0, "top_k": 5, "top_logprobs": 0},
        {"temperature": 1.0, "top_k": 5, "frequency_penalty": 0.5},
        {"presence_penalty": 0.5},
        {"repetition_penalty": 1.1},
        {"logit_bias": ((3, 1.0),)},
        {"top_logprobs": 2},
    ],
)
def test_everything_else_is_the_hosts(params):
    assert row_sampling(a_sampler(SamplingParams(**params))) is None


def test_so_is_an_answer_that_may_not_end_yet():
    assert row_sampling(a_sampler(min_tokens=2, stop_ids=frozenset({1}))) is None


def test_one_that_needs_the_host_takes_all_of_its_step_there():
    greedy, seeded = a_sampler(), a_sampler(SamplingParams(temperature=1.0, seed=1))
    assert device_sampling({2: greedy, 0: seeded}, 4) is None
    assert device_sampling({2: greedy}, 4) == neutral(4)


def test_rows_stand_where_their_requests_are():
    rows = device_sampling({1: a_sampler(TOP_K)}, 3).rows
    assert [row.top_k for row in rows] == [1, 32, 1]
    assert rows[0] == rows[2] == RowSampling()


def test_only_fields_that_an_era_has_are_given():
    @dataclass(frozen=True)
    class Oldest:
        temperature: float
        top_k: int
        top_p: float

    params = DeviceSampling((RowSampling(0.5, 3, 0.9, seed=8),)).as_params(Oldest)
    assert params == Oldest([0.5], [3], [0.9])
