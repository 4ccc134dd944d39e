"""Drafts come from what was said before, are shared fairly, and stop where they are wrong."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

from ttdirect.engine import LoadedModel, Request, SamplingParams, Token
from ttdirect.engine.drafts import HIGHEST_BAR, LOWEST_BAR, Drafter, draft_for
from ttdirect.engine.groups import Groups
from ttdirect.engine.scheduler import DRAFT_ROWS, Decode, Prefill, Scheduler
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stepper import Stepper

END = 99


def tokens_of(ids):
    return [Token(token) for token in ids]


def a_drafter(prompt):
    return Drafter(Request(tuple(prompt), 1000, stop_ids=frozenset({END})))


def draft(prompt, answer=(), most=100):
    return a_drafter(prompt).draft(tokens_of(answer), most)


class TestFindingACopy:
    def test_nothing_is_drafted_where_nothing_stands_twice(self):
        assert draft(range(1, 50), range(50, 90)) == ()

    def test_one_token_that_stands_twice_is_no_copy_yet(self):
        assert draft([1, 2, 3, 4], [9, 2]) == ()

    def test_two_that_stand_twice_are_and_what_followed_them_is_drafted(self):
        assert draft([1, 2, 3, 4, 5, 6], [2, 3]) == (4, 5)

    def test_a_copy_may_begin_in_the_prompt(self):
        assert draft([5, 6, 7, 8, 1, 5], [6]) == (7, 8)

    def test_three_that_are_the_same_go_before_two_that_stood_there_later(self):
        assert draft([1, 2, 3, 7, 8, 9, 2, 3, 4], [1, 2, 3]) == (7, 8, 9)

    def test_of_two_places_the_later_one_counts(self):
        assert draft([1, 2, 3, 1, 2, 4], [1, 2]) == (4, 1)

    def test_the_answer_can_be_copied_too(self):
        assert draft([50], [1, 2, 3, 4, 1, 2]) == (3, 4)

    def test_as_many_tokens_as_were_the_same_are_expected_to_be_the_same_again(self):
        text = list(range(1, 60))
        for length in range(2, 9):
            assert draft(text, text[10 : 10 + length]) == tuple(text[10 + length : 10 + 2 * length])

    def test_after_a_wrong_turn_the_right_copy_counts_from_its_beginning(self):
        # The later 1 2 3 4 is followed first, and left at the 5.
        prompt = [1, 2, 3, 4, 5, 6, 7, 8, 50, 1, 2, 3, 4, 9]
        assert draft(prompt, [1, 2, 3, 4, 5]) == (6, 7, 8, 50, 1)

    def test_never_more_than_asked_for(self):
        assert draft(range(1, 60), range(10, 20), most=3) == (20, 21, 22)

    def test_a_text_in_circles_is_drafted_beyond_its_end(self):
        assert draft([1, 2, 3], [1, 2, 3, 1, 2, 3]) == (1, 2, 3, 1, 2, 3)
        assert draft([7], [4, 4, 4, 4, 4]) == (4, 4, 4, 4)

    def test_a_draft_ends_before_a_stop_token(self):
        assert draft([1, 2, 3, 4, END, 6, 7], [1, 2, 3]) == (4,)
        assert draft([1, 2, END, 6, 7], [1, 2]) == ()


class Copyist:
    """Writes an answer that copies passages of its prompt for a while, and then says else."""

    PASSAGE = 40

    def __init__(self):
        self.passages = iter(range(1000, 1000 + 30 * self.PASSAGE, self.PASSAGE))
        self.others = iter(range(100, 1000))
        self.drafter = a_drafter(range(1000, 1000 + 30 * self.PASSAGE))
        self.answer = []

    def copy(self, length):
        """Copy so many tokens of the next passage, and then write another one."""
        first = next(self.passages)
        for token in (*range(first, first + length), next(self.others)):
            self.answer.append(Token(token))
            self.drafter.draft(self.answer, 5)

    def asked(self):
        """How many tokens have to be copied until the drafter trusts a copy."""
        first = next(self.passages)
        for count in range(1, self.PASSAGE):
            self.answer.append(Token(first + count - 1))
            if self.drafter.draft(self.answer, 5):
                return count
        raise AssertionError("it never drafts again")


class TestTheBar:
    def test_at_first_the_shortest_copy_is_trusted(self):
        assert Copyist().asked() == LOWEST_BAR

    @pytest.mark.parametrize("most", range(LOWEST_BAR, HIGHEST_BAR + 3))
    def test_each_guess_that_was_wrong_asks_for_a_longer_copy_up_to_a_limit(self, most):
        copyist = Copyist()
        for length in range(LOWEST_BAR, most + 1):
            copyist.copy(min(length, HIGHEST_BAR))
        assert copyist.asked() == min(most + 1, HIGHEST_BAR)

    def test_copies_that_were_not_trusted_change_nothing(self):
        copyist = Copyist()
        for _ in range(5):
            copyist.copy(LOWEST_BAR)
        assert copyist.asked() == LOWEST_BAR + 1

    def test_guesses_that_were_right_win_trust_back(self):
        copyist = Copyist()
        for length in range(LOWEST_BAR, HIGHEST_BAR + 1):
            copyist.copy(length)
        copyist.copy(HIGHEST_BAR + 3)  # three right ones, and the wrong one at the end
        assert copyist.asked() == HIGHEST_BAR - 3 + 1


TEXTS = st.lists(st.integers(0, 4), max_size=60)


@given(prompt=st.lists(st.integers(0, 4), min_size=1, max_size=60), answer=TEXTS)
def test_it_is_the_same_however_often_one_asks(prompt, answer):
    often, once = a_drafter(prompt), a_drafter(prompt)
    for length in range(len(answer)):
        often.draft(tokens_of(answer[:length]), 1)
    assert often.draft(tokens_of(answer), 20) == once.draft(tokens_of(answer), 20)


@given(prompt=st.lists(st.integers(0, 4), min_size=1, max_size=60), answer=TEXTS)
def test_what_is_drafted_has_followed_the_same_tokens_before(prompt, answer):
    drafted = draft(prompt, answer, most=20)
    text = [*prompt, *answer]
    if drafted:
        whole = [*text, *drafted]
        # Somewhere before, the last tokens stood in front of what is drafted now.
        assert any(
            whole[start : start + LOWEST_BAR + len(drafted)]
            == whole[len(text) - LOWEST_BAR : len(text) + len(drafted)]
            for start in range(len(text) - LOWEST_BAR)
        )


def wanting(count):
    """A sequence that would draft so many tokens if it were alone."""
    sequence = Sequence(Request(tuple(range(1, 60)), max_tokens=1000))
    sequence.tokens = tokens_of(range(10, 10 + count) or [98])
    assert len(sequence.draft(1000)) == count
    return sequence


WISHES = st.lists(st.sampled_from([0, *range(LOWEST_BAR, 10)]), max_size=8)


class TestSharing:
    @given(wishes=WISHES, rows=st.integers(-3, 20))
    def test_all_rows_are_used_and_nobody_gets_more_than_others_who_want_more(self, wishes, rows):
        sequences = {wanting(wish): wish for wish in wishes}
        drafts = draft_for(list(sequences), rows)
        given_out = {sequence: len(drafts.get(sequence, ())) for sequence in sequences}
        assert all(drafts.values()), "no empty drafts"
        assert sum(given_out.values()) == max(0, min(rows, sum(wishes)))
        for sequence, wish in sequences.items():
            assert given_out[sequence] <= wish
            if given_out[sequence] < wish:
                assert given_out[sequence] >= max(given_out.values()) - 1


def decoding(users, slots, *, max_tokens=50, can_draft=True):
    """The first decode step of so many users, who have all copied 20 tokens of their prompts."""
    scheduler = Scheduler(Groups(slots, 1000, 8), 128)
    scheduler.can_draft = can_draft
    scheduler.waiting.extend(
        Sequence(Request(tuple(range(1, 60)), max_tokens)) for _ in range(users)
    )
    while True:
        step = scheduler.next_step()
        if isinstance(step, Prefill):
            scheduler.note_read(step)
            step.sequence.tokens = tokens_of(range(10, 30))
        elif not scheduler.waiting:
            return step


class TestSteps:
    def test_without_the_capability_nobody_has_a_draft(self):
        assert decoding(1, slots=4, can_draft=False).drafts == {}

    @pytest.mark.parametrize("slots", [1, 2, 4, 8, 16, 32])
    def test_no_step_has_more_rows_than_the_batch_or_than_pays(self, slots):
        for users in range(1, slots + 1):
            step = decoding(users, slots)
            drafted = sum(map(len, step.drafts.values()))
            assert len(step.sequences) == users
            assert drafted == max(0, min(slots, DRAFT_ROWS) - users)

    @pytest.mark.parametrize("left", range(1, 8))
    def test_a_draft_leaves_room_for_the_token_behind_it(self, left):
        step = decoding(1, slots=32, max_tokens=20 + left)
        (sequence,) = step.sequences
        assert len(step.drafts.get(sequence, ())) == left - 1
        # So its last row has a block of the sequence's own to write to.
        assert (sequence.position + left - 1) // 8 < len(sequence.blocks)


class Parrot:
    """A model of 8 tokens whose decode likes the tokens it is told to like in each row."""

    def __init__(self, likes):
        self.likes, self.calls = likes, []
        self.model = LoadedModel(
            prefill=None,
            decode=self.decode,
            tokenizer=None,
            name="parrot",
            device="none",
            vocab_size=8,
            close=lambda: None,
            verifies_drafts=True,
        )

    def decode(self, tokens, positions, table):
        self.calls.append((tokens.flatten().tolist(), positions.tolist(), table[:, :2].tolist()))
        logits = torch.zeros(4, 1, 8)
        logits[torch.arange(4), 0, torch.tensor(self.likes)] = 5.0
        return logits


def running(slot, answer, blocks, **params):
    sequence = Sequence(Request((1, 2), max_tokens=50, sampling=SamplingParams(**params)))
    sequence.slot, sequence.blocks, sequence.tokens = slot, blocks, tokens_of(answer)
    return sequence


def chosen_by(likes, *drafted, **params):
    """Tokens of one sequence in slot 2, whose draft goes to the rows 0, 1 and 3."""
    sequence = running(2, [3], [5], **params)
    step = Decode((sequence,), {sequence: drafted} if drafted else {})
    (chosen,) = Stepper(Parrot(likes).model, 4, 128, 8).step(step)
    return [token.id for token in chosen]


class TestVerifying:
    def test_a_draft_stands_in_idle_rows_at_the_positions_behind(self):
        parrot = Parrot([0] * 4)
        first, second = running(2, [3], [5]), running(0, [6, 7], [8, 9])
        Stepper(parrot.model, 4, 128, 8).step(Decode((first, second), {first: (4, 5)}))
        assert parrot.calls == [
            ([7, 4, 3, 5], [3, 3, 2, 4], [[8, 9], [5, 0], [5, 0], [5, 0]]),
        ]

    def test_without_a_draft_there_is_one_token(self):
        assert chosen_by([1, 1, 4, 1]) == [4]

    def test_rows_count_as_long_as_their_inputs_were_right(self):
        assert chosen_by([5, 6, 4, 7], 4, 5, 6) == [4, 5, 6, 7]
        assert chosen_by([5, 7, 4, 1], 4, 5, 6) == [4, 5, 7]
        assert chosen_by([7, 6, 4, 7], 4, 5, 6) == [4, 7]
        assert chosen_by([5, 6, 7, 7], 4, 5, 6) == [7]

    def test_each_sequence_has_its_own_luck(self):
        first, second = running(2, [3], [5]), running(0, [6], [8])
        step = Decode((first, second), {first: (4,), second: (4,)})
        tokens = Stepper(Parrot([5, 6, 4, 7]).model, 4, 128, 8).step(step)
        assert [[token.id for token in own] for own in tokens] == [[4, 6], [5]]

    def test_a_rejected_row_takes_nothing_from_the_random_numbers(self):
        drafted, plain = (running(2, [3], [5], temperature=2.0, seed=1) for _ in range(2))
        stepper = Stepper(Parrot([0] * 4).model, 4, 128, 8)
        with_drafts, without = [], []
        while len(with_drafts) < 100:
            # 0 is drawn about two times in three.
            (tokens,) = stepper.step(Decode((drafted,), {drafted: (0, 0, 0)}))
            with_drafts += tokens
        while len(without) < len(with_drafts):
            without += stepper.step(Decode((plain,)))[0]
        assert with_drafts == without

    def test_where_no_token_can_be_chosen_the_failure_is_the_last(self):
        sequence = running(2, [3], [5], top_logprobs=1)
        choose = sequence.sampler.choose
        failures = iter([None, RuntimeError("no way on")])

        def fail_the_second_time(logits):
            if (failure := next(failures)) is not None:
                raise failure
            return choose(logits)

        sequence.sampler.choose = fail_the_second_time
        step = Decode((sequence,), {sequence: (4, 5, 6)})
        ((token, failure),) = Stepper(Parrot([5, 6, 4, 7]).model, 4, 128, 8).step(step)
        assert token.id == 4
        assert str(failure) == "no way on"
