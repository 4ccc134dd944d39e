"""Several models side by side: each has rows of its own, and blocks that count from 1 again."""

import pytest

from engine_on_fakes import generator_of, running_engine, text_of
from ttdirect.engine.blocks import block_digests
from ttdirect.engine.groups import Groups

BLOCK = 8


def digests(text):
    return block_digests(list(text.encode()), BLOCK)


class TestRows:
    def test_each_model_has_its_share_of_the_rows_one_after_the_other(self):
        groups = Groups(8, num_blocks=9, block_size=BLOCK, data_parallel=2)
        slots = [groups.take(1).slot for _ in range(8)]
        # In turns, so that no model does all the work.
        assert slots == [0, 4, 1, 5, 2, 6, 3, 7]
        assert groups.take(1) is None

    def test_the_one_with_least_to_do_is_next(self):
        groups = Groups(4, num_blocks=9, block_size=BLOCK, data_parallel=2)
        first, second, third, fourth = (groups.take(BLOCK) for _ in range(4))
        groups.give_back(second.slot, second.blocks)
        groups.give_back(fourth.slot, fourth.blocks)
        assert groups.take(1).slot // 2 == 1
        groups.give_back(first.slot, first.blocks)
        groups.give_back(third.slot, third.blocks)
        assert groups.take(1).slot // 2 == 0

    def test_as_many_requests_and_fewer_tokens_is_less_to_do(self):
        groups = Groups(4, num_blocks=9, block_size=BLOCK, data_parallel=2)
        groups.take(4 * BLOCK)
        groups.take(BLOCK)
        assert groups.take(1).slot // 2 == 1

    @pytest.mark.parametrize(("rows", "models"), [(8, 3), (96, 2), (4, 8), (128, 2), (6, 2)])
    def test_rows_that_no_model_could_have_are_refused(self, rows, models):
        with pytest.raises(ValueError, match=rf"for each of {models} models, not {rows}"):
            Groups(rows, 9, BLOCK, models)

    def test_no_models_are_refused(self):
        with pytest.raises(ValueError, match="data_parallel must be 1 or more, not 0"):
            Groups(4, 9, BLOCK, 0)

    @pytest.mark.parametrize(("rows", "models"), [(128, 4), (1, 1), (3, 3), (24, 3), (32, 8)])
    def test_each_model_may_have_what_one_may_have(self, rows, models):
        assert Groups(rows, 9, BLOCK, models).free_slots == list(range(rows))


class TestBlocks:
    def test_blocks_count_from_1_in_each_cache(self):
        groups = Groups(4, num_blocks=4, block_size=BLOCK, data_parallel=2)
        places = [groups.take(3 * BLOCK) for _ in range(2)]
        assert [place.slot // 2 for place in places] == [0, 1]
        assert [sorted(place.blocks) for place in places] == [[1, 2, 3], [1, 2, 3]]
        assert groups.use == 1.0

    def test_a_free_row_is_no_use_where_the_blocks_are_gone(self):
        groups = Groups(4, num_blocks=5, block_size=BLOCK, data_parallel=2)
        full = groups.take(4 * BLOCK)
        half = groups.take(2 * BLOCK)
        assert (full.slot // 2, half.slot // 2) == (0, 1)
        assert groups.take(2 * BLOCK).slot // 2 == 1
        assert groups.take(1) is None
        groups.give_back(full.slot, full.blocks)
        assert groups.take(4 * BLOCK).slot // 2 == 0

    def test_blocks_go_back_to_the_cache_that_they_are_of(self):
        groups = Groups(2, num_blocks=4, block_size=BLOCK, data_parallel=2)
        first, second = groups.take(2 * BLOCK), groups.take(BLOCK)
        with pytest.raises(ValueError, match="is not in use"):
            groups.give_back(second.slot, first.blocks)


class TestPrefixes:
    def test_a_beginning_is_known_in_its_own_cache_alone(self):
        groups = Groups(4, num_blocks=9, block_size=BLOCK, data_parallel=2)
        prefix = digests("the same beginning")
        first = groups.take(3 * BLOCK)
        groups.remember(first.slot, first.blocks[:2], prefix)
        # The other model has less to do, but would have to read it all.
        second = groups.take(3 * BLOCK, prefix)
        assert second.slot // 2 == first.slot // 2 == 0
        assert (second.blocks[:2], second.known) == (first.blocks[:2], 2)
        # No row is left there, so it is read anew by the other one.
        third = groups.take(3 * BLOCK, prefix)
        assert (third.slot // 2, third.known) == (1, 0)

    def test_nothing_is_known_after_a_failed_step_in_any_cache(self):
        groups = Groups(4, num_blocks=9, block_size=BLOCK, data_parallel=2)
        prefix = digests("the same beginning")
        for _ in range(2):
            place = groups.take(3 * BLOCK)
            groups.remember(place.slot, place.blocks[:2], prefix)
        groups.forget()
        assert groups.take(3 * BLOCK, prefix).known == 0


class TestEngine:
    def test_answers_are_the_same_from_whichever_model(self):
        options = {"max_tokens": 20, "temperature": 1.0}
        questions = [(f"{n}" * (3 + 9 * n), {**options, "seed": n}) for n in range(8)]
        with running_engine(max_batch_size=1) as engine:
            alone = [text_of(engine.ask(prompt, **it)) for prompt, it in questions]
        with running_engine(max_batch_size=8, data_parallel=4) as engine:
            asked = [engine.ask(prompt, **it) for prompt, it in questions]
            assert [text_of(it) for it in asked] == alone
            rows = {slot for call in generator_of(engine).calls for slot in call.slots}
        assert {row // 2 for row in rows} == {0, 1, 2, 3}

    def test_one_request_has_one_cache_at_most(self):
        with running_engine(max_batch_size=4, num_blocks=9, data_parallel=2) as engine:
            assert engine.limits.context == 8 * BLOCK
            assert engine.health().max_batch_size == 4

    def test_a_conversation_goes_on_where_its_history_is(self):
        history = "a history of some length, " * 8
        with running_engine(
            max_batch_size=4, data_parallel=2, prefill_chunk=BLOCK, max_seq_len=512
        ) as engine:
            for turn in range(3):
                text_of(engine.ask(history + "?" * turn, max_tokens=3))
            prefills = [it for it in generator_of(engine).calls if it.phase == "prefill"]
            assert len({slot // 2 for it in prefills for slot in it.slots}) == 1
            assert engine.stats.prefix_hits > len(history)
