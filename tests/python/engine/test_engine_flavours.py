"""The same texts over the Generator of every tt-metal era, whoever chooses the tokens.

The flavours refuse what their era refuses, and write down what it would take in silence. The texts
are those of the plain CPU Generator, one request at a time.
"""

import random

import pytest
import torch

from checkpoints import build_model, save_model
from engine_on_cpu import SLOTS, engine_on_cpu
from engine_on_fakes import is_idle, text_of
from generator_flavours import FLAVOURS
from ttdirect.engine import PromptTooLongError
from ttdirect.engine.card_settings import CardSettings, Trace
from ttdirect.generator import Generator
from waiting import wait_until

pytestmark = pytest.mark.slow

MAX_SEQ_LEN = 2048
ON_DEVICE = CardSettings(samples_on_device=True)
ALONE, PARALLEL = 1, 2
"""Models that share the rows; era 0 cannot put a single prompt on the second one."""
CASES = [(era, CardSettings(), ALONE) for era in FLAVOURS]
CASES += [(era, ON_DEVICE, ALONE) for era in ("B", "late B", "C", "D")]
CASES += [
    (era, CardSettings(Trace.DECODE, samples_on_device=True), ALONE) for era in ("late B", "C", "D")
]
CASES += [(era, CardSettings(Trace.OFF, samples_on_device=True), ALONE) for era in ("A", "C", "D")]
CASES += [(era, CardSettings(), PARALLEL) for era in ("A", "late B", "C", "D")]
CASES += [(era, ON_DEVICE, PARALLEL) for era in ("B", "C", "D")]


def name_of(case):
    era, settings, models = case
    who = "device" if settings.samples_on_device else "host"
    return f"{era}-{who}-{settings.trace.value}" + ("-parallel" if models > 1 else "")


def prompt(number, length):
    letters = random.Random(number)
    return "".join(letters.choice("the quick brown fox ") for _ in range(length))


GREEDY = [(prompt(n, 3 + 40 * n), {"max_tokens": 4 + 5 * n}) for n in range(7)]
SEEDED = [
    (prompt(10 + n, 5 + 90 * n), {"temperature": 1.0, "seed": n, "max_tokens": 20 - 3 * n})
    for n in range(4)
]
LONG = [(prompt(20, 1500), {"max_tokens": 40}), (prompt(21, 1100), {"max_tokens": 30})]
"""Longer than what the model reads in one pass."""


@pytest.fixture(scope="module", autouse=True)
def small_passes():
    """One thread, as the models are tiny; and prompts of more than 1024 tokens take two passes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAX_PREFILL_CHUNK_SIZE", "1")
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_model(build_model("llama"), tmp_path_factory.mktemp("flavours"))


@pytest.fixture(scope="module")
def expected(checkpoint, small_passes):
    """The texts, from the plain CPU Generator, one after the other."""
    with engine_on_cpu(Generator, checkpoint, max_seq_len=MAX_SEQ_LEN, slots=1) as engine:
        texts = {
            question: text_of(engine.ask(question, **options))
            for question, options in (*GREEDY, *SEEDED, *LONG)
        }
    assert len(set(texts.values())) > 10
    return texts


@pytest.fixture(scope="module", params=CASES, ids=name_of)
def running(request, checkpoint, small_passes):
    """An engine over a flavour, with the settings of a case."""
    era, settings, models = request.param
    with engine_on_cpu(
        FLAVOURS[era],
        checkpoint,
        max_seq_len=MAX_SEQ_LEN,
        settings=settings,
        slots=SLOTS // models,
        models=models,
    ) as engine:
        engine.case = request.param
        engine.recorded = list(flavour_of(engine).programs.traced)
        yield engine


@pytest.fixture
def served(running):
    """The engine of a case; whatever a test asks of it happens without a complaint."""
    yield running
    assert_in_silence(running)


def assert_in_silence(engine):
    """Nothing was compiled beside a trace, or recorded too late."""
    assert flavour_of(engine).complaints == []
    assert flavour_of(engine).programs.traced == engine.recorded


def flavour_of(engine):
    return engine.loaded_model.decode.generator


def answers(engine, questions):
    asked = [(question, engine.ask(question, **options)) for question, options in questions]
    return {question: text_of(answer) for question, answer in asked}


def of(expected, questions):
    return {question: expected[question] for question, _ in questions}


def test_warm_up_compiles_everything_before_it_records(served):
    """Nothing that was compiled or recorded later than that, whatever came after."""
    era, settings, _ = served.case
    flavour = flavour_of(served)
    known = {kind for kind, *_ in flavour.programs.compiled}
    assert known == {"prefill", "decode"}
    assert (("decode", False) in flavour.programs.traced) == (settings.trace is not Trace.OFF)
    assert any(kind == "prefill" for kind, *_ in flavour.programs.traced) == (
        settings.trace is Trace.ALL and era not in {"0", "A"}
    )


def test_one_at_a_time(served, expected):
    for question in GREEDY:
        assert answers(served, [question]) == of(expected, [question])


def test_together_with_mixed_lengths(served, expected):
    assert answers(served, GREEDY) == of(expected, GREEDY)


def test_greedy_and_seeded_ones_in_one_batch(served, expected):
    mixed = [question for pair in zip(GREEDY, SEEDED, strict=False) for question in pair]
    assert answers(served, mixed) == of(expected, mixed)
    assert answers(served, GREEDY) == of(expected, GREEDY)


def test_long_prompts_beside_short_ones(served, expected):
    questions = [GREEDY[6], *LONG, *GREEDY[:3], SEEDED[0]]
    assert answers(served, questions) == of(expected, questions)


def test_slots_are_used_again_after_cancels(served, expected):
    chance = random.Random(3)
    for _ in range(3):
        asked = [(q, served.ask(q, **options)) for q, options in (*GREEDY, *SEEDED) * 2]
        gone = chance.sample(asked, 9)
        for _, answer in gone:
            for _ in range(chance.randrange(4)):
                next(answer.pieces(), None)
            answer.cancel()
        for question, answer in asked:
            if (question, answer) not in gone:
                assert text_of(answer) == expected[question]
    wait_until(lambda: is_idle(served), "slots and blocks to come back")


def test_the_device_chooses_where_it_can_and_only_there(served):
    era, settings, _ = served.case
    flavour = flavour_of(served)
    can = settings.samples_on_device and era not in {"0", "A"}
    before = flavour.steps.copy()
    answers(served, GREEDY[:SLOTS])
    on_device = flavour.steps - before
    assert set(on_device) == {can}
    before = flavour.steps.copy()
    answers(served, SEEDED)
    assert set(flavour.steps - before) == {False}


def test_top_k_of_one_is_greedy_wherever_it_is_chosen(served, expected):
    question, options = GREEDY[3]
    drawn = served.ask(question, temperature=1.5, top_k=1, **options)
    assert text_of(drawn) == expected[question]


def test_draws_from_the_likeliest_tokens_are_not_all_alike(served):
    before = flavour_of(served).steps.copy()
    asked = [
        served.ask("the quick", temperature=2.0, top_k=32, top_p=0.95, max_tokens=24)
        for _ in range(4)
    ]
    assert len({text_of(answer) for answer in asked}) > 1
    assert set(flavour_of(served).steps - before) == {served.loaded_model.samples_on_device}


def test_nothing_happened_that_the_era_takes_in_silence(served, expected):
    """Short and long ones, and the same once more behind what is known of them."""
    for _ in range(2):
        answers(served, [*GREEDY, *LONG])
        assert_in_silence(served)


@pytest.mark.parametrize("era", ["0", "A", "B"])
def test_prompts_are_admitted_by_their_padded_length(checkpoint, era):
    """Those eras read a prompt whole: 129 tokens become 1024, and only 512 fit."""
    with engine_on_cpu(FLAVOURS[era], checkpoint, max_seq_len=512) as engine:
        assert engine.limits.longest_prompt == 128
        assert engine.limits.context == 512
        with pytest.raises(PromptTooLongError, match=r"at most 128 fit .* the device pads longer"):
            engine.ask(prompt(1, 300))
        assert text_of(engine.ask("the", max_tokens=300))


@pytest.mark.parametrize("era", ["late B", "C", "D"])
def test_where_prompts_come_in_pieces_only_a_piece_is_padded(checkpoint, era):
    """Pieces of 1024 tokens; in 512 none fits that begins where attention can start."""
    with engine_on_cpu(FLAVOURS[era], checkpoint, max_seq_len=2048) as engine:
        assert engine.limits.longest_prompt == 2047
    with engine_on_cpu(FLAVOURS[era], checkpoint, max_seq_len=512) as engine:
        assert engine.limits.longest_prompt == 128
        assert text_of(engine.ask(prompt(1, 100), max_tokens=5))


@pytest.mark.parametrize("query_chunk", [64, 256])
@pytest.mark.parametrize("era", ["C", "D"])
def test_prompts_go_on_where_attention_can_start(checkpoint, era, query_chunk):
    """In the smallest context that has room for it: what was rounded down would not fit."""
    flavour = type(era, (FLAVOURS[era],), {"query_chunk": query_chunk})
    questions = [prompt(30, 600), prompt(30, 600)[:450] + prompt(31, 200)]
    with engine_on_cpu(Generator, checkpoint, max_seq_len=1024, slots=1) as plain:
        wanted = [text_of(plain.ask(it, max_tokens=8)) for it in questions]
    with engine_on_cpu(flavour, checkpoint, max_seq_len=1024) as engine:
        engine.recorded = list(flavour_of(engine).programs.traced)
        assert engine.limits.longest_prompt == 1023
        asked = [engine.ask(it, max_tokens=8) for it in (*questions, questions[1])]
        assert [text_of(it) for it in asked] == [*wanted, wanted[1]]
        assert [it.figures.cached_tokens for it in asked] == [0, 256, 512]
        assert_in_silence(engine)


@pytest.mark.parametrize("settings", [CardSettings(continues_prompts=False), CardSettings()])
def test_prompts_are_read_whole_where_the_owner_says_so_or_no_class_for_the_family(
    checkpoint, settings
):
    family = "phi3" if settings.continues_prompts is None else "llama"
    flavour = type("C", (FLAVOURS["C"],), {"model_type": family})
    with engine_on_cpu(flavour, checkpoint, max_seq_len=1024, settings=settings) as engine:
        asked = [engine.ask(prompt(30, 600), max_tokens=3) for _ in range(2)]
        assert text_of(asked[0]) == text_of(asked[1])
        assert [it.figures.cached_tokens for it in asked] == [0, 0]
        assert ("prefill", 1024, True) not in flavour_of(engine).programs.compiled
