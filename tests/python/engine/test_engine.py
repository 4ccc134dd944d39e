"""What an engine takes and what it tells: its settings, health, figures and log."""

import logging
import threading

import pytest

from engine_on_fakes import make_engine, running_engine, text_of
from ttdirect.engine import Engine, State


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
            ({"data_parallel": 3}, "for each of 3 models, not 4"),
            ({"max_batch_size": 128, "data_parallel": 2}, "for each of 2 models, not 128"),
            ({"data_parallel": 0}, "data_parallel must be 1 or more, not 0"),
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
        with held.engine._loop._work:
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
