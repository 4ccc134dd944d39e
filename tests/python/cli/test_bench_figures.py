"""What `ttdirect bench` measures, exactly: the server decides what the client's clock says."""

import itertools
import threading

import pytest

from cli.fake_server import Answer, chunk, completion, event
from ttdirect.cli.benchmark import load as load_module
from ttdirect.cli.benchmark.figures import Percentiles, percentiles, summarise
from ttdirect.cli.benchmark.load import Case, Load, Outcome
from ttdirect.cli.benchmark.prompts import PromptMaker
from ttdirect.cli.benchmark.report import report
from ttdirect.cli.benchmark.sample import Sample, ask
from ttdirect.cli.connection import Connection
from ttdirect.cli.errors import CommandError


class ScriptedClock:
    """A clock that the server moves, once the client has stamped all that was sent before."""

    def __init__(self):
        self._now = 0.0
        self._readings = 0
        self._changed = threading.Condition()

    def __call__(self):
        with self._changed:
            self._readings += 1
            self._changed.notify_all()
            return self._now

    def steps(self, *delays):
        """Return what to call before each chunk: chunk number i comes `delays[i]` later."""
        first = 0

        def before(number):
            nonlocal first
            with self._changed:
                if number == 0:
                    first = self._readings  # the client has stamped its question
                assert self._changed.wait_for(lambda: self._readings >= first + number, 10)
                self._now += delays[number]

        return before


@pytest.fixture
def clock():
    return ScriptedClock()


@pytest.fixture
def measure(server, clock):
    """Ask the fake server once."""

    def measure_once():
        connection = Connection(server.url)
        try:
            return ask(connection, f"{server.url}/v1/chat/completions", {}, clock, lambda: False)
        finally:
            connection.close()

    return measure_once


def sample(ttft=0.1, gaps=(0.02, 0.02), duration=0.2, **changes):
    values = {"tokens": 3, "counted_by_server": True, "prompt_tokens": 30, "cached_tokens": None}
    return Sample(ttft=ttft, gaps=list(gaps), duration=duration, **{**values, **changes})


CASE = Case(clients=2, prompt_tokens=32, requests=4, seconds=None, warmup=0)


# One request


def test_the_first_event_with_text_ends_the_time_to_the_first_token(server, clock, measure):
    usage = {"prompt_tokens": 31, "completion_tokens": 4}
    details = {"prompt_tokens_details": {"cached_tokens": 16}}
    chunks = completion("One", " two", " three", **usage, **details)
    server.answers = [Answer(chunks, before=clock.steps(0.1, 0.2, 0.05, 0.15, 0, 0.01, 0.02))]
    measured = measure()
    assert measured.ttft == pytest.approx(0.3)  # not 0.1, where the role came
    assert measured.gaps == pytest.approx([0.05, 0.15])
    assert measured.duration == pytest.approx(0.53)
    assert (measured.tokens, measured.counted_by_server) == (4, True)
    assert (measured.prompt_tokens, measured.cached_tokens) == (31, 16)


def test_without_usage_the_events_with_text_are_counted(server, measure, clock):
    server.answers = [Answer(completion("a", "", "b"), before=clock.steps(0, 1, 1, 1, 0, 0))]
    measured = measure()
    assert (measured.tokens, measured.counted_by_server) == (2, False)
    assert measured.gaps == [2]
    assert measured.prompt_tokens is None


def test_an_event_counts_from_its_last_byte(server, measure, clock):
    """Two events in one piece come at once; one that is cut in two comes with its end."""
    whole = chunk("c")
    chunks = [chunk("a") + chunk("b") + whole[:9], whole[9:], *completion()[1:]]
    server.answers = [Answer(chunks, before=clock.steps(1, 1, 0, 0))]
    assert measure().gaps == [0, 1]


def test_what_a_model_thinks_is_text_too(server, measure, clock):
    thought = chunk(delta={"reasoning_content": "hm"})
    server.answers = [Answer([thought, *completion("a")], before=clock.steps(1, 0, 1, 0, 0))]
    measured = measure()
    assert (measured.ttft, measured.gaps) == (1, [1])


def test_a_stream_without_done_is_complete_with_its_finish_reason(server, measure, clock):
    server.answers = [Answer(completion("a")[:-1], before=clock.steps(0, 1, 0))]
    assert measure().ttft == 1


@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        ([chunk("a"), event(error={"message": "The device failed."})], "The device failed."),
        ([chunk("a")], "before the answer was complete"),
        (completion(), "without text"),
        ([b"data: \xff\n\n"], "not UTF-8"),
    ],
    ids=["error", "cut", "no text", "no text at all"],
)
def test_an_answer_that_is_not_complete_is_a_failure(server, measure, clock, chunks, said):
    server.answers = [Answer(chunks)]
    with pytest.raises(CommandError, match=said):
        measure()


# Many requests


def run(server, case, clock=None):
    load = Load(
        case,
        lambda: Connection(server.url),
        f"{server.url}/v1/chat/completions",
        lambda number: {"number": number},
        **({"clock": clock} if clock else {}),
    )
    load.run(lambda: None)
    return load.outcome


def test_percentiles_of_requests_whose_times_are_known(server, clock):
    """Five answers of two tokens each: the k-th takes k * 100 ms and then k * 10 ms."""
    server.answers = [
        Answer(completion("a", "b"), before=clock.steps(0, k / 10, k / 100, 0, 0))
        for k in (3, 1, 5, 2, 4)
    ]
    case = Case(clients=1, prompt_tokens=32, requests=5, seconds=None, warmup=0)
    figures = summarise(case, run(server, case, clock))
    assert figures.ttft_ms == Percentiles(300, 460, 480, 496)
    assert figures.itl_ms == Percentiles(30, 46, 48, 49.6)
    assert figures.end_to_end_ms == Percentiles(330, 506, 528, 545.6)
    assert figures.seconds == 1.65
    assert (figures.requests, figures.output_tokens) == (5, 10)
    assert figures.tokens_per_second == pytest.approx(10 / 1.65, abs=0.001)
    assert figures.requests_per_second == pytest.approx(5 / 1.65, abs=0.001)
    assert figures.tokens_per_second_per_user == pytest.approx(1 / 0.03, abs=0.01)


def test_a_number_of_requests_is_kept_to_whatever_the_number_of_clients(server):
    server.answers = [Answer(completion("a"))]
    case = Case(clients=8, prompt_tokens=32, requests=20, seconds=None, warmup=2)
    assert len(run(server, case).samples) == 20
    numbers = sorted(body["number"] for body, _ in server.requests)
    assert numbers == [*range(-16, 0), *range(20)]


def test_after_so_many_seconds_nothing_new_is_sent(server):
    server.answers = [Answer(completion("a"))]
    lock, ticks = threading.Lock(), itertools.count()

    def second_by_second():
        with lock:
            return next(ticks)

    case = Case(clients=1, prompt_tokens=32, requests=None, seconds=30, warmup=0)
    outcome = run(server, case, second_by_second)
    # Each request reads the clock eight times: before it, for itself, five chunks less one, after.
    assert 3 <= len(outcome.samples) <= 6
    assert len(server.requests) == len(outcome.samples)


def test_clients_ask_at_the_same_time(server):
    """Nobody gets an answer before all four have asked."""
    together = threading.Barrier(4)
    answer = Answer(completion("a"), before=lambda number: number or together.wait(10))
    server.answers = [answer]
    case = Case(clients=4, prompt_tokens=32, requests=8, seconds=None, warmup=0)
    outcome = run(server, case)
    assert (len(outcome.samples), outcome.failures) == (8, {})


def test_failures_are_counted_by_kind_and_do_not_end_the_case(server, monkeypatch):
    monkeypatch.setattr(load_module, "_PAUSE_SECONDS", 0)
    busy = b'{"error": {"message": "The queue is full."}}'
    server.answers = [
        Answer([busy], status=503, content_type="application/json"),
        Answer([busy], status=503, content_type="application/json"),
        Answer([chunk("a")], cut=True),
        Answer(completion("a")),
    ]
    case = Case(clients=1, prompt_tokens=32, requests=5, seconds=None, warmup=0)
    outcome = run(server, case)
    assert len(outcome.samples) == 2
    assert outcome.failures == {
        "HTTP 503: The queue is full.": 2,
        "the connection ended before the answer was complete": 1,
    }
    assert "2 x HTTP 503: The queue is full." in report([summarise(case, outcome)])


# Figures


def test_percentiles_are_linear_between_the_two_nearest_values():
    hundred = [number / 1000 for number in range(101)]
    assert percentiles(hundred[::-1]) == Percentiles(50, 90, 95, 99)
    assert percentiles([0.1, 0.2]) == Percentiles(150, 190, 195, 199)
    assert percentiles([0.1]) == Percentiles(100, 100, 100, 100)
    assert percentiles([]) == Percentiles(None, None, None, None)


def test_a_case_without_an_answer_has_no_figures_and_a_row_all_the_same():
    figures = summarise(CASE, Outcome())
    assert (figures.requests, figures.tokens_per_second) == (0, 0.0)
    assert figures.ttft_ms.p50 is figures.tokens_per_second_per_user is None
    row = report([figures]).splitlines()[1].split()
    assert row == ["2", "32", "0", "0", "0.0", "0", "0.0", "-", "0.00"]


def test_what_the_server_had_cached_and_sent_at_once_is_told():
    cached = sample(tokens=30, cached_tokens=15)
    figures = summarise(CASE, Outcome([cached, sample()], seconds=1.0))
    assert (figures.cached_prompt_tokens, figures.tokens_per_event) == (0.25, 5.5)
    text = report([figures])
    assert "up to 25% of a case's prompt tokens in its cache" in text
    assert "several tokens at once" in text


def test_a_client_that_cannot_keep_up_says_so():
    figures = summarise(CASE, Outcome([sample()], seconds=1.0, lags=[0.03] * 100))
    assert figures.client_lag_ms == 30
    assert "woke up to 30 ms late" in report([figures])
    assert "late" not in report([summarise(CASE, Outcome([sample()], seconds=1.0, lags=[0.001]))])


def test_tables_fit_into_100_columns():
    big = sample(ttft=99_999.9, gaps=[9_999.9], duration=99_999.9, tokens=10**6)
    case = Case(clients=1024, prompt_tokens=131_072, requests=9, seconds=None, warmup=0)
    outcome = Outcome([big], seconds=9_999.9)
    outcome.failures["HTTP 400: " + "very long " * 20] = 12
    assert max(map(len, report([summarise(case, outcome)]).splitlines())) <= 100


# Prompts


def count_like_a_server(prompt):
    return 13 + round(1.5 * len(prompt.split()))


@pytest.mark.parametrize("tokens", [32, 100, 512, 2000])
def test_prompts_have_the_tokens_that_were_asked_for_to_one_in_a_hundred(tokens):
    prompts = PromptMaker(seed=1)
    assert prompts.calibrate(count_like_a_server)
    assert abs(count_like_a_server(prompts.make(tokens, "a")) - tokens) <= max(1, tokens // 100)


def test_a_server_that_does_not_count_gets_about_a_word_for_a_token():
    prompts = PromptMaker(seed=1)
    assert not prompts.calibrate(lambda prompt: None)
    assert len(prompts.make(110, "a").split()) == 100


def test_a_prompt_shorter_than_the_template_still_has_a_word():
    prompts = PromptMaker(seed=1)
    prompts.calibrate(count_like_a_server)
    assert len(prompts.make(1, "a").split()) == 1


def test_no_two_prompts_begin_alike_but_for_the_shared_prefix():
    names = [str(number) for number in range(50)]
    alone = {" ".join(PromptMaker(1).make(200, name).split()[:4]) for name in names}
    assert len(alone) == 50
    prompts = PromptMaker(1, shared_prefix=40)
    shared = {" ".join(prompts.make(200, name).split()[:40]) for name in names}
    whole = {" ".join(prompts.make(200, name).split()[:44]) for name in names}
    assert (len(shared), len(whole)) == (1, 50)


def test_the_same_seed_makes_the_same_prompts():
    assert PromptMaker(7).make(50, "a") == PromptMaker(7).make(50, "a")
    assert PromptMaker(7).make(50, "a") != PromptMaker(8).make(50, "a")
