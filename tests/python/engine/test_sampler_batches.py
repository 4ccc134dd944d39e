"""A request's tokens depend on its logits, its parameters and its seed, on nothing else."""

import logging

import hypothesis.strategies as st
import pytest
from hypothesis import given

from engine_on_fakes import Answered, is_idle, running_engine, text_of
from samplers import a_sampler, noise
from ttdirect.engine import FinishReason, Options, SamplingParams, State, StepFailedError
from ttdirect.engine.sampler import choose_all
from waiting import wait_until

ROW_PARAMS = st.fixed_dictionaries(
    {
        "temperature": st.sampled_from([0.0, 0.7, 2.0]),
        "seed": st.integers(0, 9),
        "top_p": st.sampled_from([1.0, 0.8]),
        "min_p": st.sampled_from([0.0, 0.1]),
        "frequency_penalty": st.sampled_from([0.0, 1.0]),
        "repetition_penalty": st.sampled_from([1.0, 1.3]),
        "top_logprobs": st.sampled_from([None, 2]),
        "logit_bias": st.sampled_from([(), ((3, 4.0),)]),
    }
)


class TestBatches:
    @given(rows=st.lists(ROW_PARAMS, min_size=1, max_size=8), seed=st.integers(0, 2**31))
    def test_a_row_chooses_the_same_whoever_else_is_in_the_batch(self, rows, seed):
        steps = [noise(len(rows), 50, seed + step) for step in range(4)]
        params = [SamplingParams(**row) for row in rows]
        together = [a_sampler(p) for p in params]
        alone = [a_sampler(p) for p in params]
        for logits in steps:
            expected = [s.choose(row) for s, row in zip(alone, logits, strict=True)]
            assert choose_all(together, logits) == expected

    def test_a_row_that_fails_leaves_the_others_their_tokens(self):
        params = [SamplingParams(), SamplingParams(1.0, seed=1), SamplingParams(top_logprobs=1)]
        logits = noise(4, 50)
        samplers = [a_sampler(p) for p in params]
        failing = a_sampler(grammar=FailingGrammar(after=0))
        chosen = choose_all([samplers[0], failing, *samplers[1:]], logits)
        assert isinstance(chosen[1], RuntimeError)
        rows = logits[[0, 2, 3]]
        alone = [a_sampler(p).choose(row) for p, row in zip(params, rows, strict=True)]
        assert [chosen[0], *chosen[2:]] == alone


class FailingGrammar:
    """A grammar that allows everything and raises when the answer has so many tokens."""

    def __init__(self, after):
        self.left = after

    def matcher(self, stop_ids):
        return self

    def restrict(self, row):
        if not self.left:
            raise RuntimeError("the grammar is out of luck")

    def accept(self, token):
        self.left -= 1


class TestInTheEngine:
    @pytest.mark.parametrize("after", [0, 1, 5])
    def test_a_choice_that_cannot_be_made_ends_its_own_request_alone(self, after, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with running_engine() as engine:
            asked = [f"question {number}" for number in range(3)]
            alone = [text_of(engine.ask(prompt, max_tokens=20)) for prompt in asked]
            others = [Answered(engine.ask(prompt, max_tokens=20)) for prompt in asked]
            ids = engine.codec.encode("a text")
            options = Options(grammar=FailingGrammar(after), ignore_eos=True)
            failed = Answered(engine.complete(ids, options, label="it fails")).wait()
            assert isinstance(failed.error, StepFailedError)
            assert failed.completion.figures.finish_reason is FinishReason.ERROR
            assert failed.completion.figures.tokens_generated == after
            assert [answer.wait().text for answer in others] == alone
            wait_until(lambda: is_idle(engine), "all slots and blocks back")
            assert engine.state is State.READY
            assert text_of(engine.ask(asked[0], max_tokens=20)) == alone[0]

    def test_every_parameter_gets_through_to_the_tokens(self):
        with running_engine(answers=lambda _: "aaaaaa") as engine:
            ids = engine.codec.encode("a text")
            sampling = SamplingParams(logit_bias=((ord("a"), -100.0),), top_logprobs=3)
            options = Options(6, sampling, min_tokens=3)
            answer = engine.complete(ids, options, label="a text")
            text_of(answer)
            token = answer.tokens[0]
            assert token.top[0] == (ord("a"), pytest.approx(0.0))
            assert token.id == ord("a")  # the script's 200 is more than the bias of 100
