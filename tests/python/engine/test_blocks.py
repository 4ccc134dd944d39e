"""The block allocator gives every block to one request, or to all that begin alike."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ttdirect.engine.blocks import SCRATCH_BLOCK, BlockAllocator, block_digests


class TestAllocation:
    def test_every_block_but_the_scratch_one_is_handed_out(self):
        blocks, known = BlockAllocator(num_blocks=5, block_size=8).allocate(4)
        assert known == 0
        assert sorted(blocks) == [1, 2, 3, 4]
        assert SCRATCH_BLOCK not in blocks

    def test_too_many_blocks_are_refused_and_none_is_lost(self):
        allocator = BlockAllocator(num_blocks=5, block_size=8)
        assert allocator.allocate(5) is None
        assert allocator.free_count == allocator.capacity == 4

    def test_no_blocks_are_an_empty_list_even_when_all_are_taken(self):
        allocator = BlockAllocator(num_blocks=2, block_size=8)
        allocator.allocate(1)
        assert allocator.allocate(0) == ([], 0)

    def test_the_block_freed_last_is_reused_first(self):
        allocator = BlockAllocator(num_blocks=9, block_size=8)
        (first, _), (second, _) = allocator.allocate(1), allocator.allocate(1)
        allocator.free(first)
        allocator.free(second)
        assert allocator.allocate(1) == (second, 0)

    @pytest.mark.parametrize(
        ("tokens", "blocks"), [(0, 0), (1, 1), (7, 1), (8, 1), (9, 2), (16, 2), (17, 3)]
    )
    def test_tokens_round_up_to_whole_blocks(self, tokens, blocks):
        assert BlockAllocator(num_blocks=5, block_size=8).blocks_for(tokens) == blocks


class TestFreeing:
    def test_a_block_given_back_twice_is_refused(self):
        allocator = BlockAllocator(num_blocks=5, block_size=8)
        blocks, _ = allocator.allocate(2)
        allocator.free(blocks)
        with pytest.raises(ValueError, match="is not in use"):
            allocator.free(blocks)
        assert allocator.free_count == 4

    def test_the_scratch_block_cannot_be_given_back(self):
        with pytest.raises(ValueError, match="block 0 is not in use"):
            BlockAllocator(num_blocks=5, block_size=8).free([SCRATCH_BLOCK])


class TestSettings:
    @pytest.mark.parametrize("num_blocks", [-1, 0, 1])
    def test_a_cache_without_a_block_for_requests_is_refused(self, num_blocks):
        with pytest.raises(ValueError, match=f"at least 2 .* not {num_blocks}"):
            BlockAllocator(num_blocks, block_size=8)

    def test_a_block_without_tokens_is_refused(self):
        with pytest.raises(ValueError, match="block_size must be at least 1, not 0"):
            BlockAllocator(num_blocks=5, block_size=0)


DIGESTS = block_digests(range(40), 8)


def one_that_knows(blocks, digests=DIGESTS):
    """An allocator of `blocks` blocks, and those that hold what the digests name; all free."""
    allocator = BlockAllocator(blocks + 1, block_size=8)
    taken, _ = allocator.allocate(len(digests))
    allocator.remember(taken, digests)
    allocator.free(taken)
    return allocator, taken


class TestKnownBlocks:
    def test_a_known_beginning_is_found_again(self):
        allocator, known = one_that_knows(9)
        assert allocator.free_count == 9
        blocks, count = allocator.allocate(7, DIGESTS[:3])
        assert (blocks[:3], count) == (known[:3], 3)
        assert not set(blocks[3:]) & set(known[:3])

    def test_only_the_beginning_counts(self):
        allocator, _ = one_that_knows(9)
        _, count = allocator.allocate(5, (DIGESTS[0], *block_digests(range(50, 90), 8)))
        assert count == 1

    def test_the_same_tokens_behind_others_are_something_else(self):
        assert block_digests([1] * 16, 8)[1] != block_digests([1] * 16, 8)[0]
        assert not set(block_digests([2, *range(1, 40)], 8)) & set(DIGESTS)

    def test_a_block_that_is_not_full_has_no_digest(self):
        assert len(block_digests(range(39), 8)) == 4

    @pytest.mark.parametrize(("unit", "known"), [(1, 5), (2, 4), (3, 3), (6, 0)])
    def test_only_whole_units_are_taken(self, unit, known):
        allocator, _ = one_that_knows(9)
        assert allocator.allocate(7, DIGESTS, unit)[1] == known

    def test_two_share_a_block_until_both_have_given_it_back(self):
        allocator, known = one_that_knows(5)
        first, _ = allocator.allocate(5, DIGESTS)
        second, count = allocator.allocate(5, DIGESTS)
        assert first == second == known
        assert (count, allocator.free_count) == (5, 0)
        allocator.free(first)
        assert allocator.free_count == 0
        allocator.free(second)
        assert allocator.free_count == 5
        with pytest.raises(ValueError, match="is not in use"):
            allocator.free(second)

    def test_a_refusal_changes_nothing(self):
        allocator, _ = one_that_knows(5)
        allocator.allocate(2, DIGESTS[:2])
        assert allocator.allocate(6, DIGESTS) is None
        assert allocator.free_count == 3
        assert allocator.allocate(5, DIGESTS)[1] == 5

    def test_what_was_unused_longest_is_given_up_first_and_the_end_before_the_beginning(self):
        allocator, _ = one_that_knows(6, DIGESTS[:3])
        other = block_digests(range(60, 84), 8)
        taken, _ = allocator.allocate(3)
        allocator.remember(taken, other)
        allocator.free(taken)
        fresh, _ = allocator.allocate(2)  # nothing is free but what is known
        assert allocator.allocate(3, other)[1] == 3
        allocator.free(fresh)
        assert allocator.allocate(1, DIGESTS[:1])[1] == 1

    def test_known_blocks_go_only_when_no_other_is_free(self):
        allocator, known = one_that_knows(9)
        fresh, _ = allocator.allocate(4)
        assert not set(fresh) & set(known)

    def test_what_is_forgotten_is_not_found_and_not_lost(self):
        allocator, _ = one_that_knows(5)
        taken, _ = allocator.allocate(2, DIGESTS[:2])
        allocator.forget()
        allocator.free(taken)
        assert allocator.free_count == 5
        assert allocator.allocate(5, DIGESTS)[1] == 0


@given(
    num_blocks=st.integers(2, 40),
    wishes=st.lists(st.one_of(st.integers(0, 12), st.just("give back")), max_size=60),
    pick=st.randoms(use_true_random=False),
)
def test_no_block_is_ever_lost_or_written_by_two(num_blocks, wishes, pick):
    allocator = BlockAllocator(num_blocks, block_size=8)
    held: list[tuple[list[int], int]] = []
    for wish in wishes:
        if wish != "give back":
            prompt = block_digests([pick.randrange(2)] * 8 * wish, 8)
            free = allocator.free_count
            allocated = allocator.allocate(wish, prompt)
            if allocated is None:
                assert wish > free
            else:
                allocator.remember(allocated[0], prompt)
                held += [allocated] if wish else []
        elif held:
            allocator.free(held.pop(pick.randrange(len(held)))[0])
        own = [block for blocks, known in held for block in blocks[known:]]
        taken = {block for blocks, _ in held for block in blocks}
        assert len(set(own)) == len(own)
        assert taken <= set(range(1, num_blocks))
        assert allocator.free_count + len(taken) == allocator.capacity
