"""Many users at once, and each is served as if there were nobody else."""

import threading

import pytest

from byte_tokenizer import CHAT_TOKENS, ByteTokenizer
from engine_on_fakes import (
    ENDLESS,
    generator_of,
    is_idle,
    loader_of,
    running_engine,
    text_of,
)
from fake_generator import Gate
from ttdirect.engine import FinishReason
from waiting import wait_until


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
