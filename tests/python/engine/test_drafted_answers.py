"""With drafts or without, the answers are the same; only the steps are fewer."""

import itertools
import random
import threading

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from checkpoints import build_model, save_model
from engine_on_cpu import engine_on_cpu
from engine_on_fakes import generator_of, is_idle, running_engine, text_of
from ttdirect.engine import Options, SamplingParams
from ttdirect.generator import Generator
from waiting import wait_until

SLOTS = 8
REFRAIN = "the quick brown fox jumps over the lazy dog; "


@pytest.fixture(scope="module")
def engines():
    """Two engines that differ in drafts alone; few blocks, so that they pass from hand to hand."""
    common = {
        "max_batch_size": SLOTS,
        "num_blocks": 40,
        "prefill_chunk": 8,
        "max_queued": 100,
        "repeats": True,
    }
    with (
        running_engine(**common, verifies_drafts=True) as drafting,
        running_engine(**common) as plain,
    ):
        yield drafting, plain
        assert drafting.stats.failed_steps == plain.stats.failed_steps == 0
        # Some were right, and some were wrong.
        assert 0 < drafting.stats.accepted_draft_tokens < drafting.stats.draft_tokens
        for engine in (drafting, plain):
            wait_until(lambda engine=engine: is_idle(engine), "idleness")


SAMPLING = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    top_p=st.sampled_from([1.0, 0.9]),
    top_k=st.sampled_from([0, 5]),
    seed=st.integers(0, 9),
    min_p=st.sampled_from([0.0, 0.05]),
    presence_penalty=st.sampled_from([0.0, 0.0, 0.5]),
    frequency_penalty=st.sampled_from([0.0, 0.0, 0.3]),
    repetition_penalty=st.sampled_from([1.0, 1.0, 1.1]),
    logit_bias=st.sampled_from([(), ((101, 1.5),)]),
    top_logprobs=st.sampled_from([None, 0, 3]),
)
OPTIONS = st.builds(
    Options,
    max_tokens=st.integers(1, 80),
    sampling=SAMPLING,
    stop=st.sampled_from([(), (), ("e",), ("ab", "fox")]),
    stream=st.booleans(),
    min_tokens=st.sampled_from([0, 0, 20]),
    ignore_eos=st.booleans(),
)
PROMPTS = st.builds(
    lambda words, times: list((" ".join(words) * times)[:100].encode() or b"x"),
    st.lists(st.sampled_from(["ab", "the fox", "c", "dd d"]), max_size=5),
    st.integers(1, 4),
)


def answers(engine, questions):
    """What all are answered who ask at the same time: tokens, log-probabilities, text, reason."""
    completions = [
        engine.complete(prompt, options, label="a question") for prompt, options in questions
    ]
    return [
        (text_of(completion), completion.tokens, completion.figures.finish_reason)
        for completion in completions
    ]


@settings(settings.get_profile("steady"), max_examples=40)
@given(questions=st.lists(st.tuples(PROMPTS, OPTIONS), min_size=1, max_size=SLOTS))
def test_every_answer_is_the_same_to_the_last_digit(engines, questions):
    drafting, plain = engines
    assert answers(drafting, questions) == answers(plain, questions)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_in_a_given_form_is_the_same(engines, temperature):
    found = []
    for engine in engines:
        grammar = engine.compile_grammar("regex", r"(the (cat|dog) sat\. ){2,6}")
        sampling = SamplingParams(temperature, seed=3, top_logprobs=2)
        options = Options(100, sampling, grammar=grammar)
        found.append(answers(engine, [(list(b"the cat sat. "), options)] * 3))
    assert found[0] == found[1]
    assert found[0][0][0].count("sat.") >= 2


@pytest.mark.parametrize("seed", range(3))
def test_who_leaves_changes_nobody_elses_answer(engines, seed):
    drafting, plain = engines
    chance = random.Random(seed)

    def ask(engine, number):
        options = Options(60, SamplingParams(0.3, seed=number, top_logprobs=0), stream=True)
        prompt = list(REFRAIN.encode() * 2)[: 40 + number % 7]
        return engine.complete(prompt, options, label="a question")

    alone = [ask(plain, number) for number in range(24)]
    texts = [text_of(completion) for completion in alone]
    completions = [ask(drafting, number) for number in range(24)]
    stays = [chance.random() < 0.6 for _ in completions]

    def read(completion, stays):
        for _ in completion.pieces() if stays else itertools.islice(completion.pieces(), 3):
            pass
        completion.cancel()

    threads = [
        threading.Thread(target=read, args=pair) for pair in zip(completions, stays, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for completion, other, text, stayed in zip(completions, alone, texts, stays, strict=True):
        assert completion.tokens == other.tokens[: len(completion.tokens)]
        assert not stayed or completion.text == text


def repeating(*, max_batch_size=16, **options):
    return running_engine(
        max_batch_size=max_batch_size, answers=lambda _: REFRAIN * 4, max_seq_len=512, **options
    )


class TestSteps:
    def test_an_answer_that_repeats_its_prompt_takes_a_third_of_the_steps(self):
        with repeating(verifies_drafts=True) as engine:
            assert text_of(engine.ask(REFRAIN, max_tokens=300)) == REFRAIN * 4
            steps = len(generator_of(engine).calls)
            stats = engine.stats
        assert steps < len(REFRAIN * 4) / 3
        # The end token is generated too, and each step but the prompt's makes one undrafted token.
        assert stats.generation_tokens == len(REFRAIN * 4) + 1
        assert stats.accepted_draft_tokens == stats.generation_tokens - steps
        assert stats.draft_tokens >= stats.accepted_draft_tokens
        assert 0 < stats.drafts < steps

    def test_each_token_counts_once_in_the_time_between_tokens(self):
        with repeating(verifies_drafts=True) as engine:
            text_of(engine.ask(REFRAIN, max_tokens=300))
            stats = engine.stats
        assert sum(stats.inter_token_latency.counts) == stats.generation_tokens - 1
        assert stats.inter_token_latency.sum == pytest.approx(stats.decode_time.sum)
        assert stats.request_generation_tokens.sum == stats.generation_tokens

    def test_text_that_does_not_repeat_gets_nearly_no_rows_more(self):
        with running_engine(verifies_drafts=True, max_batch_size=16, max_seq_len=512) as engine:
            completion = engine.complete(
                list(range(1, 200)), Options(300, ignore_eos=True), label="nothing twice"
            )
            text_of(completion)
            rows = [len(call.slots) for call in generator_of(engine).calls]
        assert len(rows) > 200
        assert sum(rows) < 1.1 * len(rows)

    def test_without_the_capability_each_user_has_one_row(self):
        with repeating() as engine:
            text_of(engine.ask(REFRAIN, max_tokens=300))
            calls = generator_of(engine).calls
        assert {len(call.slots) for call in calls} == {1}
        assert len(calls) == len(REFRAIN * 4) + 1
        assert engine.stats.drafts == 0

    def test_many_users_fill_no_more_rows_than_there_are(self):
        with repeating(verifies_drafts=True, max_batch_size=4, num_blocks=300) as engine:
            completions = [engine.ask(REFRAIN, max_tokens=200) for _ in range(9)]
            assert [text_of(completion) for completion in completions] == [REFRAIN * 4] * 9
            assert max(len(call.slots) for call in generator_of(engine).calls) == 4


class WithoutDrafts(Generator):
    verifies_drafts = False


@pytest.mark.slow
def test_a_real_model_says_the_same_to_the_last_bit(tmp_path):
    """Alone and in a crowd, at every kind of choice."""
    checkpoint = save_model(build_model("llama"), tmp_path)
    three_letters = tuple((letter, 100.0) for letter in (70, 71, 72))  # so it repeats itself

    def question(number, temperature):
        sampling = SamplingParams(
            temperature, seed=number, logit_bias=three_letters, top_logprobs=2
        )
        return list(range(40, 50 + number)), Options(70, sampling, ignore_eos=True)

    questions = [question(*pair) for pair in enumerate((0.0, 0.3, 0.0, 1.0))]
    found = []
    for generator in (Generator, WithoutDrafts):
        with engine_on_cpu(generator, checkpoint, max_seq_len=128) as engine:
            alone = [answers(engine, [question])[0] for question in questions]
            found += [alone, answers(engine, questions)]
            accepted = engine.stats.accepted_draft_tokens
        assert (accepted > 50) == (generator is Generator)
    assert found == [found[0]] * 4
