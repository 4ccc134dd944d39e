"""Who is served when: the order of steps, room in the cache, and the bounded queue."""

import threading

import pytest

from byte_tokenizer import CHAT_TOKENS
from engine_on_fakes import (
    ENDLESS,
    ending_of,
    generator_of,
    is_idle,
    running_engine,
    text_of,
)
from fake_generator import Gate
from ttdirect.engine import FinishReason, PromptTooLongError, QueueFullError, Request
from waiting import wait_until


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
            assert engine.limits.longest_prompt == 31
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
