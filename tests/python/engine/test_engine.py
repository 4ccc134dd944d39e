"""Many users at once, and each is served as if there were nobody else."""

import logging
import threading
import time
from types import SimpleNamespace

import pytest

from fakes import (
    ByteTokenizer,
    Gate,
    generator_of,
    loader_of,
    make_engine,
    running_engine,
    text_of,
    wait_until,
)
from ttdirect.engine import (
    DeadlineError,
    Engine,
    FinishReason,
    PromptTooLongError,
    QueueFullError,
    Request,
    State,
)
from ttdirect.engine.sequence import Finished

ENDLESS = "the quick brown fox " * 100
CHAT_TOKENS = 4
"""Tokens that the fake's chat template adds to a prompt."""


@pytest.fixture
def held():
    """An engine of two slots whose first step is held, and its gate."""
    gate = Gate(shut=True)
    with running_engine(
        max_batch_size=2, max_queued=3, gate=gate, answers=lambda _: ENDLESS
    ) as engine:
        yield SimpleNamespace(engine=engine, gate=gate, running=engine.health, ask=engine.ask)


def is_idle(engine):
    scheduler = engine._scheduler
    return (
        not scheduler.running
        and not scheduler.waiting
        and not engine._cancelled
        and scheduler.allocator.free_count == scheduler.allocator.capacity
        and sorted(scheduler._free_slots) == list(range(engine.max_batch_size))
    )


def ending_of(sequence):
    """Why a sequence ended, read as the thread that asked reads it."""
    while not isinstance(event := sequence.events.get(timeout=30), Finished):
        pass
    return event.reason


class TestAnswers:
    @pytest.mark.parametrize("stream", [True, False])
    def test_the_answer_is_what_the_model_says(self, stream):
        answers = {"hello": "Hi! Grüße, 東京 😀", "": "You said nothing."}
        with running_engine(answers=answers) as engine:
            for prompt, answer in answers.items():
                completion = engine.ask(prompt, stream=stream)
                assert text_of(completion) == completion.text == answer
                assert completion.figures.finish_reason is FinishReason.STOP
                assert completion.figures.tokens_generated == len(answer.encode())

    @pytest.mark.parametrize("max_tokens", [1, 2, 7, 8, 9, 40])
    def test_an_answer_ends_at_max_tokens(self, max_tokens):
        with running_engine(answers=lambda _: ENDLESS) as engine:
            completion = engine.ask("go on", max_tokens=max_tokens)
            assert text_of(completion) == ENDLESS[:max_tokens]
            assert completion.figures.finish_reason is FinishReason.LENGTH
            assert completion.figures.tokens_generated == max_tokens

    @pytest.mark.parametrize("length", [1, 100, 256 - CHAT_TOKENS - 1])
    def test_an_answer_ends_where_the_context_does(self, length):
        with running_engine(answers=lambda _: ENDLESS * 9, max_seq_len=256) as engine:
            completion = engine.ask("x" * length, max_tokens=2048)
            room = 256 - CHAT_TOKENS - length
            assert text_of(completion) == ENDLESS[:room]
            assert completion.figures.finish_reason is FinishReason.LENGTH

    def test_a_stop_string_across_tokens_and_characters_ends_the_answer(self):
        with running_engine(answers={"count": "eins, zwei, drü, viér"}) as engine:
            completion = engine.ask("count", stop=("ü, v", "zzz"), stream=True)
            assert text_of(completion) == "eins, zwei, dr"
            assert completion.figures.finish_reason is FinishReason.STOP
            wait_until(lambda: is_idle(engine))

    def test_the_system_message_reaches_the_model(self, alone):
        texts = {alone("hello", system=system)[0] for system in (None, "be brief", "be long")}
        assert len(texts) == 3

    @pytest.mark.parametrize("stop", [(), ("a",), ("xy", "q", "é"), ("ab", "b", "abc")])
    def test_a_stream_says_the_same_as_an_answer_in_one_piece(self, alone, stop):
        for number in range(12):
            options = {
                "temperature": number % 3 / 2,
                "seed": number,
                "max_tokens": 60,
                "stop": stop,
            }
            streamed = alone(f"question {number}", stream=True, **options)
            assert streamed == alone(f"question {number}", stream=False, **options)

    def test_a_base_model_answers_plain_text(self):
        tokenizer = ByteTokenizer(chat=False)
        with running_engine(tokenizer=tokenizer, answers={"hello": "world"}) as engine:
            assert text_of(engine.ask("hello")) == "world"

    def test_without_a_seed_the_text_is_new_each_time(self):
        with running_engine() as engine:
            asked = [engine.ask("hello", temperature=2.0) for _ in range(8)]
            assert len({text_of(completion) for completion in asked}) > 1

    @pytest.mark.parametrize(
        "wrong",
        [{"temperature": 3.0}, {"top_p": 0.0}, {"top_k": -1}, {"max_tokens": 0}],
    )
    def test_a_number_out_of_range_is_refused_and_takes_no_place(self, wrong):
        with running_engine() as engine:
            with pytest.raises(ValueError, match=next(iter(wrong))):
                engine.ask("hello", **wrong)
            assert is_idle(engine)


class TestTogether:
    def test_a_text_is_the_same_alone_and_among_31_others(self, alone):
        questions = [
            (
                f"question {number} " + "of many words " * (number % 7),
                {
                    "temperature": (0.0, 0.7, 1.5)[number % 3],
                    "top_p": (1.0, 0.9)[number % 2],
                    "top_k": (0, 20)[number // 2 % 2],
                    "seed": number,
                    "max_tokens": 20 + number * 3,
                    "stream": number % 5 == 0,
                },
            )
            for number in range(32)
        ]
        with running_engine(max_batch_size=32) as engine:
            generator_of(engine).gate.shut()
            asked = [engine.ask(prompt, **options) for prompt, options in questions]
            generator_of(engine).gate.open()
            texts = [(text_of(c), c.figures.finish_reason) for c in asked]
            assert max(len(call.slots) for call in generator_of(engine).calls) > 16
        assert texts == [alone(prompt, **options) for prompt, options in questions]

    def test_cancelling_one_changes_nobody(self, alone):
        prompts = [f"question {number}" for number in range(8)]
        gate = Gate(shut=True)
        with running_engine(max_batch_size=4, gate=gate) as engine:
            asked = [engine.ask(prompt, temperature=1.0, seed=3) for prompt in prompts]
            gate.let_pass(6)
            asked[1].cancel()  # runs
            asked[6].cancel()  # waits
            gate.open()
            texts = [text_of(completion) for completion in asked]
            wait_until(lambda: is_idle(engine))
        for number in set(range(8)) - {1, 6}:
            assert texts[number] == alone(prompts[number], temperature=1.0, seed=3)[0]

    def test_a_slot_that_was_used_before_is_as_good_as_new(self, alone):
        with running_engine(max_batch_size=1, num_blocks=33) as engine:
            for number in range(6):
                prompt = "a longer question " * (6 - number)
                assert text_of(engine.ask(prompt)) == alone(prompt)[0]

    def test_one_thread_makes_all_calls_one_at_a_time(self):
        with running_engine() as engine:
            threads = [
                threading.Thread(target=lambda n=n: text_of(engine.ask(f"question {n}")))
                for n in range(12)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        loader = loader_of(engine)
        assert set(loader.loads) == generator_of(engine).threads == set(loader.closes)
        assert threading.get_ident() not in loader.loads


class TestSteps:
    def test_newcomers_and_running_ones_take_turns(self, held):
        for _ in range(2):
            held.ask("go on", max_tokens=20)
        held.gate.let_pass(4)
        assert [call.phase for call in generator_of(held.engine).calls] == [
            "prefill",
            "prefill",
            "decode",
            "decode",
            "decode",
        ]

    def test_after_four_prompts_in_a_row_everybody_gets_a_token(self):
        gate = Gate(shut=True)
        answers = {f"question {n}": ENDLESS for n in range(16)}
        with running_engine(max_batch_size=16, gate=gate, answers=answers) as engine:
            asked = [engine.ask(prompt, max_tokens=30) for prompt in answers]
            gate.open()
            for completion in asked:
                assert text_of(completion) == ENDLESS[:30]
            phases = "".join(call.phase[0] for call in generator_of(engine).calls)
        assert phases.startswith("pppp" + "dpppp" * 3 + "ddd")

    def test_an_answer_of_one_token_needs_no_decode(self):
        with running_engine(answers={"hello": "Hi"}) as engine:
            assert text_of(engine.ask("hello", max_tokens=1)) == "H"
            assert [call.phase for call in generator_of(engine).calls] == ["prefill"]

    def test_an_answer_that_ends_at_once_is_empty(self):
        with running_engine(answers={"hello": ""}) as engine:
            completion = engine.ask("hello")
            assert text_of(completion) == ""
            assert completion.figures.tokens_generated == 0
            assert completion.figures.finish_reason is FinishReason.STOP


class TestRoom:
    def test_with_few_blocks_requests_wait_and_are_served_in_order(self):
        gate = Gate(shut=True)
        with running_engine(
            max_batch_size=8, num_blocks=10, gate=gate, answers=lambda _: ENDLESS
        ) as engine:
            # 12 + 20 tokens are four blocks of eight: two requests fit, not eight.
            asked = [engine.ask("12345678", max_tokens=20) for _ in range(6)]
            gate.let_pass(6)
            assert engine.health().running == 2
            assert engine.health().queued == 4
            gate.open()
            for completion in asked:
                assert text_of(completion) == ENDLESS[:20]
            admitted = [completion._sequence.admitted_at for completion in asked]
            assert admitted == sorted(admitted)
            wait_until(lambda: is_idle(engine))

    def test_a_prompt_that_could_never_fit_is_refused_with_the_numbers(self):
        with running_engine(max_seq_len=256) as engine:
            with pytest.raises(PromptTooLongError, match=r"has 256 tokens, .* most 255") as caught:
                engine.ask("x" * (256 - CHAT_TOKENS))
            assert (caught.value.prompt_tokens, caught.value.limit) == (256, 255)
            assert is_idle(engine)

    def test_a_small_cache_limits_prompts_too(self):
        with running_engine(num_blocks=5, answers=lambda _: ENDLESS) as engine:
            assert engine.longest_prompt == 31
            with pytest.raises(PromptTooLongError, match=r"has 32 tokens, .* most 31"):
                engine.ask("x" * (32 - CHAT_TOKENS))
            assert text_of(engine.ask("x" * (31 - CHAT_TOKENS))) == ENDLESS[:1]

    def test_an_answer_never_takes_more_than_the_cache_has(self):
        with running_engine(num_blocks=5, answers=lambda _: ENDLESS) as engine:
            assert text_of(engine.ask("x", max_tokens=2048)) == ENDLESS[: 32 - CHAT_TOKENS - 1]

    def test_a_request_of_tokens_that_could_never_fit_is_refused(self):
        with running_engine(max_seq_len=256) as engine:
            with pytest.raises(PromptTooLongError):
                engine.submit(Request((1,) * 200, max_tokens=57))
            assert ending_of(engine.submit(Request((1,) * 200, max_tokens=56)))


class TestQueue:
    def test_free_slots_and_the_queue_are_filled_and_not_one_more(self, held):
        asked = [held.ask("go on") for _ in range(2 + 3)]
        with pytest.raises(QueueFullError, match="3 requests are already waiting") as caught:
            held.ask("go on")
        assert caught.value.retry_after == 2
        for completion in asked:
            completion.cancel()

    def test_the_bound_is_exact_in_a_burst_from_many_threads(self):
        gate = Gate(shut=True)
        with running_engine(
            max_batch_size=4, max_queued=7, gate=gate, answers={"hello": "Hi"}
        ) as engine:
            start, texts, refused = threading.Barrier(40), [], []

            def ask():
                start.wait()
                try:
                    completion = engine.ask("hello")
                except QueueFullError as error:
                    refused.append(error)
                    return
                texts.append(text_of(completion))

            threads = [threading.Thread(target=ask) for _ in range(40)]
            for thread in threads:
                thread.start()
            wait_until(lambda: len(refused) == 40 - 4 - 7, "the refusals")
            gate.open()
            for thread in threads:
                thread.join()
            assert texts == ["Hi"] * 11
            assert len(refused) == 29

    @pytest.mark.parametrize("slots", [1, 4, 32])
    def test_without_a_queue_every_free_slot_can_still_be_had(self, slots):
        gate = Gate(shut=True)
        with running_engine(
            max_batch_size=slots, max_queued=0, gate=gate, answers={"hello": "Hi"}
        ) as engine:
            asked = [engine.ask("hello") for _ in range(slots)]
            with pytest.raises(QueueFullError):
                engine.ask("hello")
            gate.open()
            assert [text_of(completion) for completion in asked] == ["Hi"] * slots
            wait_until(lambda: is_idle(engine))
            assert text_of(engine.ask("hello")) == "Hi"

    def test_who_leaves_the_queue_makes_room_after_the_step(self, held):
        asked = [held.ask("go on") for _ in range(5)]
        asked[3].cancel()
        held.gate.let_pass(1)
        asked.append(held.ask("go on"))
        for completion in asked:
            completion.cancel()


class TestDeadlines:
    def test_who_waits_too_long_is_told_and_the_running_one_goes_on(self, held):
        running = [held.ask("go on", max_tokens=5) for _ in range(2)]
        late = held.engine.submit(Request((1, 2), max_tokens=5, timeout_seconds=0.0))
        held.gate.open()
        assert ending_of(late) is FinishReason.DEADLINE
        assert late.admitted_at is None
        assert [text_of(completion) for completion in running] == [ENDLESS[:5]] * 2

    def test_who_runs_too_long_is_told_and_gives_everything_back(self):
        gate = Gate(shut=True)
        with running_engine(gate=gate, timeout_seconds=0.05, answers=lambda _: ENDLESS) as engine:
            completion = engine.ask("go on")
            gate.wait_until_held()
            deadline = completion._sequence.deadline
            wait_until(lambda: time.monotonic() > deadline)
            gate.open()
            with pytest.raises(DeadlineError, match=r"not complete within 0.05 s"):
                text_of(completion)
            assert completion.figures.finish_reason is FinishReason.DEADLINE
            wait_until(lambda: is_idle(engine))

    def test_without_a_limit_nobody_is_hurried(self):
        with running_engine(timeout_seconds=None, answers={"hello": "Hi"}) as engine:
            assert text_of(engine.ask("hello")) == "Hi"


class TestCancelling:
    def test_it_happens_at_the_end_of_the_step(self, held):
        stays, leaves = held.ask("go on", max_tokens=9), held.ask("go on")
        held.gate.let_pass(3)
        leaves.cancel()
        assert held.engine.health().running == 2
        held.gate.let_pass(1)
        assert held.engine.health().running == 1
        held.gate.open()
        assert text_of(stays) == ENDLESS[:9]
        assert generator_of(held.engine).calls[-1].slots == (stays_slot(held.engine),)

    def test_who_stops_reading_a_stream_frees_the_slot(self, held):
        held.gate.open()
        pieces = held.ask("go on", stream=True, max_tokens=200).pieces()
        assert next(pieces) == "t"
        pieces.close()
        wait_until(lambda: is_idle(held.engine))

    def test_cancelling_when_all_is_over_leaves_nothing_behind(self, held):
        held.gate.open()
        completion = held.ask("go on", max_tokens=3)
        text_of(completion)
        for _ in range(3):
            held.engine.cancel(completion._sequence)
        wait_until(lambda: is_idle(held.engine))
        assert text_of(held.ask("go on", max_tokens=3)) == ENDLESS[:3]

    def test_cancelling_after_the_engine_has_stopped_leaves_nothing_behind(self):
        with running_engine(answers={"hello": "Hi"}) as engine:
            completion = engine.ask("hello")
            text_of(completion)
        engine.cancel(completion._sequence)
        assert not engine._cancelled

    def test_a_thousand_cancels_in_all_states_of_a_request_lose_no_block(self):
        with running_engine(max_batch_size=2, max_queued=1000) as engine:
            asked = [engine.ask(f"question {n}", max_tokens=1 + n % 5) for n in range(300)]
            for number, completion in enumerate(asked):
                if number % 3:
                    completion.cancel()
                else:
                    text_of(completion)
                    completion.cancel()
            wait_until(lambda: is_idle(engine))


def stays_slot(engine):
    """The slot of the first request of an engine: slots are given out from 0."""
    return generator_of(engine).calls[0].slots[0]


class TestHealth:
    def test_it_counts_who_runs_and_who_waits(self, held):
        asked = [held.ask("go on") for _ in range(4)]
        held.gate.let_pass(2)
        health = held.engine.health()
        assert (health.running, health.queued) == (2, 2)
        assert (health.state, health.phase, health.progress) == (State.READY, "ready", 1.0)
        assert (health.model, health.device) == ("fake-1b", "fake device")
        assert (health.max_batch_size, health.max_seq_len) == (2, 256)
        assert health.note == "Model is loaded in memory for fast inference"
        for completion in asked:
            completion.cancel()

    def test_it_answers_while_a_step_is_slow_and_while_the_lock_is_held(self, held):
        completion = held.ask("go on")
        held.gate.wait_until_held()
        with held.engine._work:
            answered = []
            asker = threading.Thread(target=lambda: answered.append(held.engine.health()))
            asker.start()
            asker.join(30)
        assert answered[0].running == 1
        completion.cancel()

    def test_time_counts_from_readiness(self):
        with running_engine() as engine:
            first, second = engine.health(), engine.health()
            assert 0.0 <= first.elapsed_seconds <= second.elapsed_seconds < 30.0


class TestFigures:
    def test_they_are_sane_for_whoever_waited_and_ran(self, held):
        held.gate.open()
        asked = [held.ask("go on", max_tokens=10, stream=True) for _ in range(5)]
        for completion in asked:
            text_of(completion)
            figures = completion.figures
            assert 0.0 <= figures.queue_seconds <= figures.ttft_seconds <= figures.time_seconds
            assert figures.tokens_generated == 10
            assert figures.tokens_per_second == pytest.approx(10 / figures.time_seconds)
            assert figures.as_json()["finish_reason"] == "length"


class TestLog:
    @pytest.mark.parametrize(
        ("prompt", "shown"),
        [
            ("hello", '"hello"'),
            ("two\nlines\tand  more", '"two lines and more"'),
            ("x" * 100, '"' + "x" * 57 + '..."'),
            ("\x1b[31mred\x07", '"?[31mred?"'),
        ],
    )
    def test_a_prompt_is_shown_on_one_line_and_cannot_steer_the_terminal(
        self, caplog, prompt, shown
    ):
        caplog.set_level(logging.INFO, logger="ttdirect.requests")
        with running_engine(answers=lambda _: "Hi") as engine:
            text_of(engine.ask(prompt))
        assert f" asks  {shown}  (" in caplog.records[0].getMessage()


class TestSettings:
    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"max_batch_size": 3}, "max_batch_size must be one of"),
            ({"max_batch_size": 64}, "max_batch_size must be one of"),
            ({"max_seq_len": 100}, "power of two of at least 128, not 100"),
            ({"max_seq_len": 64}, "power of two of at least 128, not 64"),
            ({"max_queued": -1}, "max_queued must be 0 or more"),
            ({"num_blocks": 1}, "num_blocks must be at least 2"),
            ({"block_size": 0, "num_blocks": 9}, "block_size must be at least 1"),
        ],
    )
    def test_what_the_generator_cannot_do_is_refused(self, wrong, sentence):
        options = {"max_batch_size": 4, "max_seq_len": 128, "block_size": 32, "num_blocks": 9}
        with pytest.raises(ValueError, match=sentence):
            Engine(lambda _: None, **(options | wrong))

    def test_an_engine_starts_once(self):
        engine = make_engine()
        engine.start()
        with pytest.raises(RuntimeError, match="started before"):
            engine.start()
        engine.drain(0.0)
        assert engine.join(30)
